# SPDX-License-Identifier: Apache-2.0
"""Hooks of the training loop."""

from .broken_sample_hook import BrokenSampleHook
from .knn_monitor_hook import KNNMonitorHook
from .seed_by_progress_hook import SeedByProgressHook
from .soft_target_hook import SoftTargetHook

__all__ = ['BrokenSampleHook', 'KNNMonitorHook', 'SeedByProgressHook', 'SoftTargetHook']
