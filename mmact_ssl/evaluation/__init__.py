"""Evaluation of a pre-trained student: linear probe, kNN, retrieval, fine-tuning, by text."""

from .knn_monitor_hook import KNNMonitorHook
from .pretext_metric import PretextMetric

__all__ = ['KNNMonitorHook', 'PretextMetric']
