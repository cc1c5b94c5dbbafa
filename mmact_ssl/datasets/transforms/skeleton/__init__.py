"""Transforms of skeleton clips: float32 ``[M, T, V, C]``, persons, frames, joints, coordinates."""

from .augment import (
    JointJitter,
    JointMask,
    RandomRotation,
    RandomScale,
    RandomShear,
    SkeletonFlip,
)
from .normalize import NormalizeSkeleton
from .pretext import MaskFuture, ShuffleSegments
from .streams import BonesAndMotion
from .temporal import PadFrames, ResampleFrames, TemporalCrop
from .views import MakeSkeletonViews

__all__ = [
    'BonesAndMotion',
    'JointJitter',
    'JointMask',
    'MakeSkeletonViews',
    'MaskFuture',
    'NormalizeSkeleton',
    'PadFrames',
    'RandomRotation',
    'RandomScale',
    'RandomShear',
    'ResampleFrames',
    'ShuffleSegments',
    'SkeletonFlip',
    'TemporalCrop',
]
