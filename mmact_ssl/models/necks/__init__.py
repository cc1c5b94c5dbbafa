from .adaptive_instance_norm import adaptive_instance_norm
from .running_standardiser import RunningStandardiser
from .skeleton_pooling import SkeletonPooling
from .task_adapter import ConvolutionAdapter

__all__ = ['ConvolutionAdapter', 'RunningStandardiser', 'SkeletonPooling', 'adaptive_instance_norm']
