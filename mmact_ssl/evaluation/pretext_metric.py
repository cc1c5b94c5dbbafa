"""How well the pretext tasks do on clips that training never saw, and whether by the student."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmact_ssl.models.dependence import OTHER_CLIP
from mmact_ssl.registry import METRICS

# A metric depends on the student if its mean moves by more than both (our choice).
MIN_CHANGE = 0.01  # of the mean
MIN_ERRORS = 2.0  # standard errors over clips


@METRICS.register_module()
class PretextMetric(BaseMetric):
    """Average, over samples, of what the heads' ``predict`` gives as one number a sample.

    NaN leaves a sample out of that metric's mean. Metrics are named ``'<task>/<name>'``, and with
    the features of another clip ``'<task>/<name>_other_clip'``, see
    :meth:`MultiTaskPretrainer.predict`. A task of which a metric stays as it is gets a warning.
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
        """Mean of each metric over the samples for which it is defined; run by one process."""
        values = {name: np.array([r[name] for r in results]) for name in results[0]}
        for warning in describe_inert(values):
            print_log(warning, 'current', logging.WARNING)
        return {name: mean_of_known(value) for name, value in values.items()}


def mean_of_known(values: np.ndarray) -> float:
    """Mean of what is not NaN; NaN if nothing is known."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float('nan')


def describe_inert(values: Mapping[str, np.ndarray]) -> list[str]:
    """A warning for each task of which a metric does not depend on the student.

    Args:
        values: ``'<task>/<name>'`` and ``'<task>/<name>_other_clip'`` -> one number a clip.
    """
    inert: dict[str, list[str]] = {}
    for name, own in values.items():
        other = values.get(name + OTHER_CLIP)
        if other is not None and not depends(own, other):
            task, _, metric = name.rpartition('/')
            means = f'{metric} {mean_of_known(own):.4g} ({mean_of_known(other):.4g})'
            inert.setdefault(task, []).append(means)
    return [
        f'the task {task!r} does not depend on the student: {", ".join(metrics)} the same with '
        "another clip's features (in brackets): its loss does not teach the student"
        for task, metrics in inert.items()
    ]


def depends(own: np.ndarray, other: np.ndarray) -> bool:
    """Whether the mean over clips moves with the features; True if too few clips can tell.

    It moves if the mean of the differences clip by clip is above :data:`MIN_CHANGE` of the larger
    mean and above :data:`MIN_ERRORS` of its own standard errors.
    """
    known = ~np.isnan(own) & ~np.isnan(other)
    own, other = own[known], other[known]
    if len(own) < 2:
        return True
    difference = own - other
    error = difference.std(ddof=1) / len(own) ** 0.5
    size = max(abs(own.mean()), abs(other.mean()))
    return bool(abs(difference.mean()) > max(MIN_CHANGE * size, MIN_ERRORS * error))
