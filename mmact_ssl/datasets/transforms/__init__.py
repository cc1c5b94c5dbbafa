"""Transforms of the pre-training pipelines."""

from .formatting import PackPretextInputs
from .geometry import HorizontalFlip
from .skeleton import (
    BonesAndMotion,
    JointJitter,
    JointMask,
    MakeSkeletonViews,
    MaskFuture,
    NormalizeSkeleton,
    PackSkeletonInputs,
    PadFrames,
    RandomRotation,
    RandomScale,
    RandomShear,
    ResampleFrames,
    ShuffleSegments,
    SkeletonFlip,
    TemporalCrop,
)
from .views import DecodeViews, SampleViews, TransformViews

__all__ = [
    'BonesAndMotion',
    'DecodeViews',
    'HorizontalFlip',
    'JointJitter',
    'JointMask',
    'MakeSkeletonViews',
    'MaskFuture',
    'NormalizeSkeleton',
    'PackPretextInputs',
    'PackSkeletonInputs',
    'PadFrames',
    'RandomRotation',
    'RandomScale',
    'RandomShear',
    'ResampleFrames',
    'SampleViews',
    'ShuffleSegments',
    'SkeletonFlip',
    'TemporalCrop',
    'TransformViews',
]
