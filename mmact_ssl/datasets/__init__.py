"""Data sets, samplers and layouts."""

from .pretext_video_dataset import PretextVideoDataset
from .samplers import ShardSampler
from .skeleton_dataset import SkeletonDataset

__all__ = ['PretextVideoDataset', 'ShardSampler', 'SkeletonDataset']
