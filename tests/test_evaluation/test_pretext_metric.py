"""Means of the heads' metrics over samples, and warnings of tasks that ignore the student."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from mmact_ssl.evaluation import PretextMetric, pretext_metric
from mmact_ssl.evaluation.pretext_metric import describe_doubts, on_common_clips
from mmact_ssl.models.heads import PretextHead, Term
from tests.helpers.heads import make_pretrainer


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


def measure(lines: list[str], monkeypatch, **heads: type) -> dict[str, float]:
    """Metrics of heads over 40 clips in batches of 8, and one that is alone."""
    monkeypatch.setattr(pretext_metric, 'print_log', lambda text, *_: lines.append(text))
    torch.manual_seed(0)
    made = {task: dict(type=head) for task, head in heads.items()}
    model = make_pretrainer(made, targets=('clip.aim',)).eval()
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
        "the task 'deaf': error 0.05, with another clip's features 0.05: it does not "
        'depend on the student, so that its loss does not teach the student'
    )
    assert partly.startswith("the task 'partly': future 0.") and 'error' not in partly


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
        ('error', 'error_other_clip', [0.5, 0.5, 0.5], [0.5, 0.5, 0.5], True),
        ('error', 'error_other_clip', [1.0, 2.0, 3.0], [1.02, 2.03, 3.06], False),
        ('error', 'error_other_clip', [1.0, 2.0, 3.0], [1.005, 2.01, 3.015], True),  # by 0.5 %
        ('error', 'error_other_clip', [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], True),  # one clip
        ('error', 'error_other_clip', [1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0], False),
        ('error', 'error_other_clip', [1.0, math.nan], [1.0, 1.0], False),  # one clip tells nothing
    ],
)
def test_when_a_metric_is_doubted(metric, trivial, own, answer, warned):
    name = f'mse/{metric}'
    group = on_common_clips(name, {name: np.array(own), f'mse/{trivial}': np.array(answer)})
    assert bool(describe_doubts(name, group)) == warned
