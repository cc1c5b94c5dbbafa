"""How well the pretext tasks do on clips that training never saw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from mmact_ssl.registry import METRICS


@METRICS.register_module()
class PretextMetric(BaseMetric):
    """Average, over samples, of what the heads' ``predict`` gives as one number a sample.

    NaN leaves a sample out of that metric's mean. Metrics are named ``'<task>/<name>'``.
    """

    # The tasks' names are prefix enough; None would make mmengine warn.
    default_prefix = ''

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the metrics of a batch of samples, task -> name -> tensor."""
        for sample in data_samples:
            self.results.append(
                {
                    f'{task}/{name}': float(value)
                    for task, predictions in sample.items()
                    for name, value in predictions.items()
                    if value.ndim == 0
                }
            )

    def compute_metrics(self, results: list[dict[str, float]]) -> dict[str, float]:
        """Mean of each metric over the samples for which it is defined."""
        return {name: float(np.nanmean([r[name] for r in results])) for name in results[0]}
