from .skeleton_gru import SkeletonGRU

__all__ = ['SkeletonGRU']
