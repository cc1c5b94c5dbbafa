"""Evaluation of a pre-trained student: linear probe, kNN, retrieval, fine-tuning."""

from mmact_ssl.evaluation.pretext_metric import PretextMetric

__all__ = ['PretextMetric']
