from .adaptive_instance_norm import adaptive_instance_norm
from .part_decoder import PartDecoder
from .running_standardiser import RunningStandardiser
from .skeleton_pooling import SkeletonPooling
from .task_adapter import ConvolutionAdapter, GatedAdapter

__all__ = [
    'ConvolutionAdapter',
    'GatedAdapter',
    'PartDecoder',
    'RunningStandardiser',
    'SkeletonPooling',
    'adaptive_instance_norm',
]
