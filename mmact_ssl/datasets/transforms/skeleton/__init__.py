# SPDX-License-Identifier: Apache-2.0
"""Transforms of skeleton clips: float32 `[M, T, V, C]`, persons, frames, joints, coordinates."""

from .augment import (
    JointJitter,
    JointMask,
    RandomRotation,
    RandomScale,
    RandomShear,
    SkeletonFlip,
)
from .normalise import NormaliseSkeleton
from .pretext import MaskFuture, ShuffleSegments
from .streams import BonesAndMotion
from .temporal import PadFrames, ResampleFrames, TemporalCrop
from .views import MakeSkeletonViews, PackSkeletonInputs

__all__ = [
    'BonesAndMotion',
    'JointJitter',
    'JointMask',
    'MakeSkeletonViews',
    'MaskFuture',
    'NormaliseSkeleton',
    'PackSkeletonInputs',
    'PadFrames',
    'RandomRotation',
    'RandomScale',
    'RandomShear',
    'ResampleFrames',
    'ShuffleSegments',
    'SkeletonFlip',
    'TemporalCrop',
]
