"""Data sets, samplers and layouts."""

from mmact_ssl.upstream.mmaction_fixes import fix_video_lists

from .pretext_video_dataset import PretextVideoDataset, read_video_list
from .samplers import ShardSampler
from .skeleton_dataset import SkeletonDataset

fix_video_lists(read_video_list)

__all__ = ['PretextVideoDataset', 'ShardSampler', 'SkeletonDataset']
