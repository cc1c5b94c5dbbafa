"""Data sets, samplers and layouts."""

from mmact_ssl.datasets.pretext_video_dataset import PretextVideoDataset, read_video_list
from mmact_ssl.datasets.samplers import ShardSampler
from mmact_ssl.datasets.skeleton_dataset import SkeletonDataset
from mmact_ssl.upstream.mmaction_fixes import fix_video_lists

fix_video_lists(read_video_list)

__all__ = ['PretextVideoDataset', 'ShardSampler', 'SkeletonDataset']
