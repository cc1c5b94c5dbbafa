from .adaptive_instance_norm import adaptive_instance_norm
from .skeleton_pooling import SkeletonPooling
from .task_adapter import ConvolutionAdapter

__all__ = ['ConvolutionAdapter', 'SkeletonPooling', 'adaptive_instance_norm']
