from .adaptive_instance_norm import adaptive_instance_norm
from .running_standardizer import RunningStandardizer
from .skeleton_pooling import SkeletonPooling
from .task_adapter import ConvolutionAdapter, GatedAdapter

__all__ = [
    'ConvolutionAdapter',
    'GatedAdapter',
    'RunningStandardizer',
    'SkeletonPooling',
    'adaptive_instance_norm',
]
