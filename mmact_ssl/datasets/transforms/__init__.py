"""Transforms of the pre-training pipelines."""

from .formatting import PackInputs
from .geometry import HorizontalFlip, WholeFrameBox
from .skeleton import (
    BonesAndMotion,
    JointJitter,
    JointMask,
    MakeSkeletonViews,
    MaskFuture,
    NormalizeSkeleton,
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
    'PackInputs',
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
    'WholeFrameBox',
]
