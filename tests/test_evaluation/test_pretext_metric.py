"""Means of the heads' metrics over samples, and warnings of tasks that ignore the student."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from mmact_ssl.evaluation import PretextMetric, pretext_metric
from mmact_ssl.evaluation.pretext_metric import DEPENDS, INERT, dependence, describe_doubts
from mmact_ssl.models.heads import PretextHead, Term
from tests.helpers.heads import one_view_pretrainer


def sample(error: float, accuracy: float) -> dict:
    return dict(
        pose=dict(error=torch.tensor(error), poses=torch.zeros(4, 2)),
        context=dict(accuracy=torch.tensor(accuracy)),
    )


def test_means_over_samples_of_all_batches_leave_out_what_is_not_defined():
    metric = PretextMetric()
    metric.process(None, [sample(1.0, 1.0), sample(math.nan, 0.0)])
    metric.process(None, [sample(4.0, math.nan)])
    assert metric.evaluate(size=3) == {
        'pose/error': pytest.approx(2.5),
        'context/accuracy': pytest.approx(0.5),
        'pose/error_known_fraction': pytest.approx(2 / 3),
        'context/accuracy_known_fraction': pytest.approx(2 / 3),
    }


def test_a_metric_that_no_sample_defines_is_not_a_number():
    metric = PretextMetric()
    metric.process(None, [sample(math.nan, 1.0)])
    assert math.isnan(metric.evaluate(size=1)['pose/error'])


def test_metrics_that_most_samples_leave_out_are_warned_about(monkeypatch):
    lines: list[str] = []
    monkeypatch.setattr(pretext_metric, 'print_log', lambda text, *_: lines.append(text))
    metric = PretextMetric()
    metric.process(None, [sample(1.0, 1.0), sample(math.nan, math.nan)])
    assert metric.evaluate(size=2)['pose/error'] == 1 and not lines
    metric.process(None, [sample(0.1, 1.0), *[sample(math.nan, 1.0)] * 9])
    assert metric.evaluate(size=10)['pose/error'] == pytest.approx(0.1)
    (line,) = lines
    assert line.startswith('known for fewer than half of the clips: pose/error (10%); the means')


def test_a_metric_is_compared_on_the_same_clips():
    """Its trivial answer and another clip's features have other clips without a value."""
    numbers = (
        dict(error=1.0, error_other_clip=4.0, error_constant=math.nan),
        dict(error=2.0, error_other_clip=math.nan, error_constant=8.0),
        dict(error=math.nan, error_other_clip=6.0, error_constant=9.0),
        dict(error=4.0, error_other_clip=7.0, error_constant=10.0),
        dict(error=6.0, error_other_clip=9.0, error_constant=14.0),
    )
    metric = PretextMetric()
    metric.process(None, [dict(a={k: torch.tensor(v) for k, v in n.items()}) for n in numbers])
    assert metric.evaluate(size=5) == {
        'a/error': 5.0,
        'a/error_other_clip': 8.0,
        'a/error_constant': 12.0,
        'a/error_known_fraction': pytest.approx(0.4),
    }


def test_features_of_another_clip_that_no_batch_has_leave_the_metric_as_it_is():
    metric = PretextMetric()
    for error in (1.0, 2.0):
        numbers = dict(error=torch.tensor(error), error_other_clip=torch.tensor(math.nan))
        metric.process(None, [dict(a=numbers)])
    found = metric.evaluate(size=2)
    assert found.pop('a/error') == 1.5
    assert list(found) == ['a/error_other_clip'] and math.isnan(found['a/error_other_clip'])


def test_clips_without_a_target_are_not_taken_for_divergence(monkeypatch):
    """The trivial answer tells them apart: it needs the target alone."""
    lines: list[str] = []
    monkeypatch.setattr(pretext_metric, 'print_log', lambda text, *_: lines.append(text))
    for hits, fraction in (([1.0, 1.0], 0.2), ([1.0, math.nan], 0.1)):
        metric = PretextMetric()
        for hit, chance in zip(hits + [math.nan] * 8, [0.5] * 2 + [math.nan] * 8):
            numbers = dict(accuracy=torch.tensor(hit), chance=torch.tensor(chance))
            metric.process(None, [dict(order=numbers)])
        assert metric.evaluate(size=10)['order/accuracy_known_fraction'] == pytest.approx(fraction)
        assert not lines
    metric = PretextMetric()
    for hit in [1.0, math.nan, math.nan]:
        numbers = dict(accuracy=torch.tensor(hit), chance=torch.tensor(0.5))
        metric.process(None, [dict(order=numbers)])
    metric.evaluate(size=3)
    (line,) = lines
    assert line.startswith('known for fewer than half of the clips: order/accuracy (33%);')


def measure(lines: list[str], monkeypatch, **heads: type) -> dict[str, float]:
    """Metrics of heads over 40 clips in batches of 8, and one that is alone."""
    monkeypatch.setattr(pretext_metric, 'print_log', lambda text, *_: lines.append(text))
    torch.manual_seed(0)
    model = one_view_pretrainer(**heads)
    metric = PretextMetric()
    for count in (8, 8, 8, 8, 8, 1):
        clips = torch.rand(count, 3, 2, 2, 2)
        aims = clips.flatten(1).mean(1) + 0.1 * torch.rand(count)
        samples = model(dict(clip=clips), dict(clip=dict(aim=aims)), mode='predict')
        metric.process(None, samples)
    return metric.evaluate(size=41)


class Live(PretextHead):
    inputs = dict(feature='clip.pooled', aim='targets.clip.aim')

    def terms(self, feature: Tensor, aim: Tensor) -> dict[str, Term]:
        error = (feature.mean(1) - aim).abs()
        return dict(loss=Term(error), error=Term(error), error_repeat_last=Term(aim))


class Deaf(Live):
    """As good, by a way around the student."""

    def terms(self, feature: Tensor, aim: Tensor) -> dict[str, Term]:
        return super().terms(0 * feature + aim[:, None] + 0.05, aim)


class Blunt(Live):
    """Reads the student and is worse than the trivial answer."""

    def terms(self, feature: Tensor, aim: Tensor) -> dict[str, Term]:
        error = (2 * feature.mean(1) + aim).abs()
        return dict(loss=Term(error), error=Term(error), error_repeat_last=Term(aim))


class Half(Live):
    """One of two metrics goes around the student."""

    def terms(self, feature: Tensor, aim: Tensor) -> dict[str, Term]:
        return dict(super().terms(feature, aim), future=Term(aim + 1e-4 * feature.mean(1)))


def test_a_task_that_does_not_depend_on_the_student_is_warned_about(monkeypatch):
    lines: list[str] = []
    metrics = measure(lines, monkeypatch, live=Live, deaf=Deaf, partly=Half)
    assert metrics['live/error_other_clip'] > 1.2 * metrics['live/error']
    assert metrics['deaf/error_other_clip'] == pytest.approx(metrics['deaf/error'])
    assert 'live/error_repeat_last_other_clip' not in metrics
    deaf, partly = lines
    assert deaf == (
        "the task 'deaf': error 0.05 (0.05), with another clip's features in brackets: it does not "
        'depend on the student, so that its loss does not teach the student'
    )
    assert partly.startswith("the task 'partly': future 0.") and 'error' not in partly


def test_a_task_that_is_no_better_than_its_trivial_answer_is_warned_about(monkeypatch):
    lines: list[str] = []
    measure(lines, monkeypatch, live=Live, blunt=Blunt)
    (line,) = (line for line in lines if 'trivial' in line)
    assert line.startswith("the task 'blunt': error 1.")
    assert line.endswith(
        'the trivial answer in brackets: it is not better, so that the task has not been learned'
    )


@pytest.mark.parametrize(
    ('metric', 'trivial', 'own', 'answer', 'warned'),
    [
        ('error', 'error_repeat_last', [0.1, 0.2, 0.1], [0.5, 0.5, 0.5], False),
        ('error', 'error_repeat_last', [0.5, 0.6, 0.5], [0.5, 0.5, 0.5], True),
        ('mse', 'mse_constant', [0.5, 0.5, 0.5], [0.5, 0.5, 0.5], True),
        ('cosine', 'cosine_constant', [0.3, 0.2, 0.3], [0.0, 0.0, 0.0], False),
        ('cosine', 'cosine_constant', [-0.1, 0.1, 0.0], [0.0, 0.0, 0.0], True),
        ('accuracy', 'chance', [1.0, 1.0, 1.0], [0.5, 0.5, 0.5], False),
        ('accuracy', 'chance', [1.0, 0.0, 0.0], [0.2, 0.2, 0.2], True),  # by one clip of three
        ('x_accuracy', 'x_chance', [0.0, 0.0, 0.0], [0.2, 0.2, 0.2], True),
        ('x_accuracy', 'chance', [0.0, 0.0, 0.0], [0.2, 0.2, 0.2], False),  # of another metric
        ('accuracy', 'chance', [0.0, math.nan], [0.2, math.nan], False),  # one clip tells nothing
    ],
)
def test_when_a_task_is_better_than_its_trivial_answer(metric, trivial, own, answer, warned):
    values = {f'task/{metric}': np.array(own), f'task/{trivial}': np.array(answer)}
    assert bool(describe_doubts(values)) == warned


def test_a_gain_that_a_few_clips_do_not_show_for_certain_is_not_called_a_loss():
    own, answer = np.array([0.0, 0.0, 1.0]), np.full(3, 0.5)
    for error, said in (
        (own, 'over 3 clips it is not certain to be better'),
        (own + 1, 'not been'),
    ):
        (line,) = describe_doubts({'task/error': error, 'task/error_constant': answer})
        assert said in line


def test_the_name_of_a_task_does_not_tell_which_way_its_metrics_improve():
    values = {'mse/accuracy': np.full(3, 0.9), 'mse/chance': np.full(3, 0.1)}
    assert not describe_doubts(values)


UNCERTAIN = 'over 4 clips it is not certain to depend on the student, test more of them'


@pytest.mark.parametrize(
    ('own', 'other', 'expected'),
    [
        ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5], INERT),
        ([1.0, 2.0, 3.0], [1.02, 2.04, 3.06], DEPENDS),
        ([1.0, 2.0, 3.0], [1.005, 2.01, 3.015], INERT),  # half a percent
        ([1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], UNCERTAIN),  # one clip alone
        ([1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0], UNCERTAIN),  # all clips change
        ([1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0], DEPENDS),
        ([0.0, 0.0], [0.0, 0.0], INERT),
        ([1.0, math.nan], [1.0, 1.0], DEPENDS),  # one clip tells nothing
        ([math.nan, math.nan], [math.nan, math.nan], DEPENDS),
    ],
)
def test_when_a_metric_depends(own, other, expected):
    assert dependence(np.array(own), np.array(other)) == expected


@given(st.integers(2, 30), st.integers(0, 2**31), st.floats(-5, 5), st.floats(0, 2))
def test_it_is_a_paired_comparison(count, seed, shift, deviation):
    """Against the definition; and what clips have in common does not hide a difference."""
    generator = np.random.default_rng(seed)
    own = generator.normal(100, 10, count)
    steps = shift + deviation * generator.normal(size=count)
    error = statistics.stdev(steps) / math.sqrt(count)
    limits = 0.01 * max(abs(np.mean(own)), abs(np.mean(own + steps))), 2 * error
    change = abs(np.mean(steps))
    assume(all(abs(change - limit) > 1e-6 for limit in (*limits, limits[0] - limits[1])))
    expected = change > max(limits)
    assert (dependence(own, own + steps) == DEPENDS) == expected
    assert (dependence(own + steps, own) == DEPENDS) == expected
    assert (dependence(own, own + steps) == INERT) == (change + limits[1] < limits[0])
