# SPDX-License-Identifier: Apache-2.0
"""Transforms of the pre-training pipelines."""

from .formatting import PackPretextInputs
from .geometry import HorizontalFlip
from .skeleton import (
    BonesAndMotion,
    JointJitter,
    JointMask,
    MakeSkeletonViews,
    MaskFuture,
    NormaliseSkeleton,
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
from .targets import LoadTargetCache
from .views import DecodeViews, SampleViews, TransformViews

__all__ = [
    'BonesAndMotion',
    'DecodeViews',
    'HorizontalFlip',
    'JointJitter',
    'JointMask',
    'LoadTargetCache',
    'MakeSkeletonViews',
    'MaskFuture',
    'NormaliseSkeleton',
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
