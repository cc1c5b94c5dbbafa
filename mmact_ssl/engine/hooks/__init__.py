"""Hooks of the training loop."""

from .broken_sample_hook import BrokenSampleHook
from .gradient_conflict_hook import GradientConflictHook
from .knn_monitor_hook import KNNMonitorHook
from .momentum_copy_hook import MomentumCopyHook
from .seed_by_progress_hook import SeedByProgressHook

__all__ = [
    'BrokenSampleHook',
    'GradientConflictHook',
    'KNNMonitorHook',
    'MomentumCopyHook',
    'SeedByProgressHook',
]
