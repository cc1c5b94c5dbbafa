"""Pretext metrics on held-out clips, beside a trivial answer and another clip's features."""

from __future__ import annotations

import logging
from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmact_ssl.models.dependence import OTHER_CLIP
from mmact_ssl.models.heads.terms import ACCURACY, SMALLER_IS_BETTER
from mmact_ssl.registry import METRICS

# A difference must exceed both (our choice).
MIN_ERRORS = 2.0  # standard errors over clips
MIN_CHANGE = 0.01  # of the metric's mean, for another clip's features
KNOWN_FRACTION = '_known_fraction'  # suffix: fraction of the clips in a mean, where it is below 1
# Suffixes of a metric's trivial answers: repeating the last input, and one answer for all clips.
TRIVIAL_SUFFIXES = ('_repeat_last', '_constant')
CHANCE = 'chance'


@METRICS.register_module()
class PretextMetric(BaseMetric):
    """Means of the metrics that the heads' ``predict`` returns for each sample.

    Metrics are named ``'<task>/<name>'``, and with the features of another clip
    ``'<task>/<name>_other_clip'``, see :meth:`MultiTaskPretrainer.predict`. A mean leaves out
    samples whose metric is NaN. A metric, its trivial answer and its ``_other_clip`` are means over
    the same samples. If these are not all, ``'<task>/<name>_known_fraction'`` is their fraction.

    There is a warning if a task's metric is the same with another clip's features, or no better
    than its trivial answer.
    """

    # The tasks' names are prefix enough; None would make mmengine warn.
    default_prefix = ''

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Store the metrics of a batch of samples, task -> name -> tensor."""
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
        """Mean of each metric over the samples for which it is defined, in one process."""
        values = {name: np.array([r[name] for r in results]) for name in results[0]}
        metrics: dict[str, float] = {}
        for name in main_metrics(values):
            group = on_common_clips(name, values)
            for warning in describe_doubts(name, group):
                print_log(warning, 'current', logging.WARNING)
            metrics |= {key: mean_of_known(value) for key, value in group.items()}
            if unknown := np.isnan(group[name]).mean():
                metrics[name + KNOWN_FRACTION] = 1 - float(unknown)
        return metrics


def mean_of_known(values: np.ndarray) -> float:
    """Mean of the values that are not NaN; NaN without any."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float('nan')


def main_metrics(values: Mapping[str, np.ndarray]) -> list[str]:
    """Names of the metrics that are neither a trivial answer nor of another clip's features."""
    answers = {trivial_answer(name, values) for name in values}
    return [name for name in values if name not in answers and not name.endswith(OTHER_CLIP)]


def on_common_clips(name: str, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A metric, its trivial answer and its ``_other_clip``, with NaN where one of them is NaN.

    One that is NaN for all clips does not count, such as ``_other_clip`` in batches of one clip.
    """
    names = (name, trivial_answer(name, values), name + OTHER_CLIP)
    group = {key: values[key] for key in names if key in values}
    missing = [np.isnan(value) for value in group.values() if not np.isnan(value).all()]
    unknown = np.any(missing, axis=0) if missing else False
    return {key: np.where(unknown, np.nan, value) for key, value in group.items()}


def trivial_answer(metric: str, metrics: Container[str]) -> str:
    """Name of the trivial answer to a metric ``'<task>/<name>'``; ``''`` for none.

    It is ``chance`` for ``accuracy``, ``x_chance`` for ``x_accuracy``, and for other metrics
    ``<name>_repeat_last`` or ``<name>_constant``.
    """
    names = [metric + suffix for suffix in TRIVIAL_SUFFIXES]
    if metric.endswith(ACCURACY):
        names = [metric[: -len(ACCURACY)] + CHANCE]
    return next((name for name in names if name in metrics), '')


def describe_doubts(name: str, group: Mapping[str, np.ndarray]) -> list[str]:
    """Warnings about a metric that ignores the student or does not beat its trivial answer.

    Args:
        name: ``'<task>/<name>'``.
        group: The metric, its trivial answer and its ``_other_clip``, see :func:`on_common_clips`.
    """
    task, _, metric = name.rpartition('/')
    mean = mean_of_known(group[name])
    sign = -1 if any(part in metric for part in SMALLER_IS_BETTER) else 1
    doubts = []
    for beside, values in group.items():
        gain, error = _paired_difference(group[name], values)
        found = f'the task {task!r}: {metric} {mean:.4g}'
        if beside.endswith(OTHER_CLIP) and abs(gain) <= max(error, MIN_CHANGE * abs(mean)):
            doubts.append(
                f"{found}, with another clip's features {mean_of_known(values):.4g}: it does not "
                'depend on the student, so that its loss does not teach the student'
            )
        elif beside not in (name, name + OTHER_CLIP) and sign * gain <= error:
            doubts.append(
                f'{found}, the trivial answer {mean_of_known(values):.4g}: it is not better, so '
                'that the task has not been learned'
            )
    return doubts


def _paired_difference(values: np.ndarray, beside: np.ndarray) -> tuple[float, float]:
    """Mean difference over clips, and :data:`MIN_ERRORS` of its standard errors.

    A single clip gives no verdict: NaN.
    """
    difference = (values - beside)[~np.isnan(values - beside)]
    if len(difference) < 2:
        return float('nan'), float('nan')
    error = MIN_ERRORS * difference.std(ddof=1) / len(difference) ** 0.5
    return float(difference.mean()), float(error)
