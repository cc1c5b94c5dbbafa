"""Transforms of the pre-training pipelines."""

from .formatting import PackInputs
from .geometry import HorizontalFlip, WholeFrameBox
from .skeleton.augment import (
    JointJitter,
    JointMask,
    RandomRotation,
    RandomScale,
    RandomShear,
    SkeletonFlip,
)
from .skeleton.copies import TurnedCopies
from .skeleton.normalize import NormalizeSkeleton
from .skeleton.pretext import MakeSkeletonViews, MaskFuture, ShuffleSegments
from .skeleton.streams import BonesAndMotion
from .skeleton.temporal import PadFrames, ResampleFrames, TemporalCrop
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
    'TurnedCopies',
    'WholeFrameBox',
]
