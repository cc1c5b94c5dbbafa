from .pretext_data_preprocessor import PretextDataPreprocessor
from .skeleton_data_preprocessor import SkeletonDataPreprocessor

__all__ = ['PretextDataPreprocessor', 'SkeletonDataPreprocessor']
