"""Pretext metrics on held-out clips, with warnings about tasks that ignore the student."""

from __future__ import annotations

import logging
from collections.abc import Container, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmact_ssl.models.dependence import OTHER_CLIP
from mmact_ssl.models.heads.terms import ACCURACY, SMALLER_IS_BETTER
from mmact_ssl.registry import METRICS

# A metric depends on the student if its mean moves by more than both (our choice).
MIN_CHANGE = 0.01  # of the mean
MIN_ERRORS = 2.0  # standard errors over clips
MIN_KNOWN = 0.5  # of the clips with a target: with fewer, a mean gets a warning (our choice)
KNOWN_FRACTION = '_known_fraction'  # suffix: fraction of the clips in a mean, where it is below 1
# Suffixes of a metric's trivial answers: repeating the last input, and one answer for all clips.
TRIVIAL_SUFFIXES = ('_repeat_last', '_constant')
CHANCE = 'chance'
DEPENDS = ''
NOT_BETTER = 'it is not better, so that the task has not been learned'
MAYBE_BETTER = 'over {} clips it is not certain to be better, test more of them'
INERT = 'it does not depend on the student, so that its loss does not teach the student'
UNCERTAIN = 'over {} clips it is not certain to depend on the student, test more of them'


@METRICS.register_module()
class PretextMetric(BaseMetric):
    """Means of the metrics that the heads' ``predict`` returns for each sample.

    Metrics are named ``'<task>/<name>'``, and with the features of another clip
    ``'<task>/<name>_other_clip'``, see :meth:`MultiTaskPretrainer.predict`. A mean leaves out
    samples whose metric is NaN. A metric, its trivial answer and its ``_other_clip`` are means over
    the same samples. If these are not all, ``'<task>/<name>_known_fraction'`` is their fraction.

    There is a warning if a task's metric is the same with another clip's features, is no better
    than its trivial answer, or is NaN for most samples that have a target.
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
        common = on_common_clips(values)
        for warning in [*describe_doubts(common), *describe_unknown(values)]:
            print_log(warning, 'current', logging.WARNING)
        means = {name: mean_of_known(value) for name, value in common.items()}
        return means | known_fractions(common)


def mean_of_known(values: np.ndarray) -> float:
    """Mean of the values that are not NaN; NaN without any."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float('nan')


def on_common_clips(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Set a metric, its trivial answer and its ``_other_clip`` to NaN where one of them is NaN.

    One that is NaN for all clips does not count, such as ``_other_clip`` in batches of one clip.
    """
    common = dict(values)
    for name in own_metrics(values):
        names = (name, trivial_answer(name, values), name + OTHER_CLIP)
        group = [n for n in names if n in values and not np.isnan(values[n]).all()]
        unknown = np.any([np.isnan(values[n]) for n in group], axis=0)
        common |= {n: np.where(unknown, np.nan, values[n]) for n in group}
    return common


def own_metrics(values: Mapping[str, np.ndarray]) -> list[str]:
    """Names of the metrics that are neither a trivial answer nor of another clip's features."""
    answers = {trivial_answer(name, values) for name in values}
    return [name for name in values if name not in answers and not name.endswith(OTHER_CLIP)]


def known_fractions(values: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Fraction of the clips on which each metric is not NaN, for metrics with a NaN."""
    unknown = {name: float(np.isnan(values[name]).mean()) for name in own_metrics(values)}
    return {name + KNOWN_FRACTION: 1 - part for name, part in unknown.items() if part}


def describe_unknown(values: Mapping[str, np.ndarray]) -> list[str]:
    """Warning about metrics that are NaN for most clips with a target, if there are any.

    A clip has no target if the trivial answer is NaN, too. Without a trivial answer, or if it is
    always NaN, all clips count.
    """
    few = []
    for name in own_metrics(values):
        known, answer = ~np.isnan(values[name]), values.get(trivial_answer(name, values))
        if answer is not None and not np.isnan(answer).all():
            known = known[~np.isnan(answer)]
        if known.mean() < MIN_KNOWN:
            few.append(f'{name} ({known.mean():.0%})')
    warning = (
        f'known for fewer than half of the clips: {", ".join(few)}; the means leave out the '
        'others, whose targets are missing or on which the head has diverged'
    )
    return [warning] if few else []


def describe_doubts(values: Mapping[str, np.ndarray]) -> list[str]:
    """Warnings about tasks whose metrics ignore the student or do not beat a trivial answer.

    Args:
        values: ``'<task>/<name>'``, ``'<task>/<name>_other_clip'`` and its :func:`trivial_answer`
            -> one number a clip.
    """
    doubts: dict[tuple[str, str], list[str]] = {}
    for name, own in values.items():
        task, _, metric = name.rpartition('/')
        sign = -1 if any(part in metric for part in SMALLER_IS_BETTER) else 1
        for beside, brackets, verdict_of in (
            (name + OTHER_CLIP, "with another clip's features in brackets", dependence),
            (
                trivial_answer(name, values),
                'the trivial answer in brackets',
                partial(advantage, sign=sign),
            ),
        ):
            if beside in values and (verdict := verdict_of(own, values[beside])):
                text = f'{metric} {mean_of_known(own):.4g} ({mean_of_known(values[beside]):.4g})'
                doubts.setdefault((task, f'{brackets}: {verdict}'), []).append(text)
    return [f'the task {task!r}: {", ".join(both)}, {why}' for (task, why), both in doubts.items()]


def trivial_answer(metric: str, known: Container[str]) -> str:
    """Name of the trivial answer to a metric ``'<task>/<name>'``; ``''`` for none.

    It is ``chance`` for ``accuracy``, ``x_chance`` for ``x_accuracy``, and for other metrics
    ``<name>_repeat_last`` or ``<name>_constant``.
    """
    names = [metric + suffix for suffix in TRIVIAL_SUFFIXES]
    if metric.endswith(ACCURACY):
        names = [metric[: -len(ACCURACY)] + CHANCE]
    return next((name for name in names if name in known), '')


def advantage(own: np.ndarray, trivial: np.ndarray, sign: int) -> str:
    """Verdict on a metric beside its trivial answer: '', :data:`NOT_BETTER`, :data:`MAYBE_BETTER`.

    It is better if the mean of the clips' differences, times ``sign``, is more than
    :data:`MIN_ERRORS` of its standard errors, and may be if that mean is above 0. A single clip
    gives no verdict.
    """
    gain = sign * (own - trivial)
    gain = gain[~np.isnan(gain)]
    if len(gain) < 2 or gain.mean() > MIN_ERRORS * gain.std(ddof=1) / len(gain) ** 0.5:
        return ''
    return MAYBE_BETTER.format(len(gain)) if gain.mean() > 0 else NOT_BETTER


def dependence(own: np.ndarray, other: np.ndarray) -> str:
    """Verdict on one metric: :data:`DEPENDS`, :data:`INERT` or :data:`UNCERTAIN`.

    The error of the clips' mean difference is :data:`MIN_ERRORS` of its standard errors, and the
    limit is :data:`MIN_CHANGE` of the larger mean. The metric depends on the student if the mean
    difference is above both, and does not if the difference plus the error is below the limit.
    Anything else is uncertain, e.g. if clips change in both directions. A single clip gives no
    verdict.
    """
    known = ~np.isnan(own) & ~np.isnan(other)
    own, other = own[known], other[known]
    if len(own) < 2:
        return DEPENDS
    difference = own - other
    change = abs(difference.mean())
    limit = MIN_CHANGE * max(abs(own.mean()), abs(other.mean()))
    error = MIN_ERRORS * difference.std(ddof=1) / len(own) ** 0.5
    if change + error <= limit:
        return INERT
    return DEPENDS if change > max(limit, error) else UNCERTAIN.format(len(own))
