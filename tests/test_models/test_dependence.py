"""Metrics with another clip's features: what moves, what stays, and the same random numbers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmact_ssl.models.dependence import OTHER_CLIP, features_of_another_clip
from mmact_ssl.models.heads import PretextHead, Term
from tests.five_methods import METHODS, make_model
from tests.helpers.heads import make_pretrainer

STUDENT = {f'{view}.{name}' for view in ('a', 'b') for name in ('feature_map', 'pooled')}


def moved(count: int, **sources: str) -> dict[str, list[int]]:
    """Argument -> which clip of the batch each clip gets it of."""
    inputs = {argument: torch.arange(count) for argument in sources}
    found = features_of_another_clip(sources, inputs, STUDENT)
    return {argument: value.tolist() for argument, value in found.items()}


@pytest.mark.parametrize(
    ('count', 'order'), [(1, [0]), (2, [1, 0]), (5, [2, 3, 4, 0, 1]), (4, [2, 3, 0, 1])]
)
def test_each_clip_gets_the_features_of_one_half_a_batch_away(count, order):
    assert moved(count, x='a.pooled', y='targets.a.pose') == dict(x=order, y=[*range(count)])


def test_all_features_of_the_student_move_each_view_to_another_clip_and_nothing_else():
    views = dict(one='b.pooled', two='a.pooled', three='b.feature_map', old='b.momentum_pooled')
    by_one, by_two = [1, 2, 0], [2, 0, 1]
    assert moved(3, **views) == dict(one=by_one, two=by_two, three=by_one, old=[0, 1, 2])
    assert moved(2, frames='a', target='targets.a.pose') == dict(frames=[0, 1], target=[0, 1])


def test_a_mask_goes_with_the_features_unless_a_target_is_masked_by_it():
    own, other = [0, 1], [1, 0]
    reads = dict(x='a.feature_map', valid='targets.a.valid')
    assert moved(2, **reads, label='targets.sample.label')['valid'] == other
    assert moved(2, **reads, maps='targets.a.parts')['valid'] == own
    assert moved(2, **reads, frames='a')['valid'] == own
    assert moved(2, **reads, target='a.momentum_feature_map')['valid'] == own
    assert moved(2, **reads, target='b.momentum_feature_map')['valid'] == other
    assert moved(2, x='a.feature_map', valid='targets.b.valid')['valid'] == own


def test_what_the_student_saw_goes_with_its_features():
    """Also if the head predicts frames, which stay with their clip, and their padding."""
    marks = dict(mask='targets.a.mask', valid='targets.a.valid')
    found = moved(2, x='a.feature_map', frames='a', other='targets.b.mask', **marks)
    assert found == dict(x=[1, 0], frames=[0, 1], other=[0, 1], mask=[1, 0], valid=[0, 1])


class NoisyHead(PretextHead):
    """Distance of the feature, moved by noise, to a target; beside doing nothing, and noise."""

    inputs = dict(feature='clip.pooled', target='targets.clip.aim')

    def terms(self, feature: Tensor, target: Tensor) -> dict[str, Term | Tensor]:
        noise = torch.rand(len(feature))
        return dict(
            loss=Term(noise),
            error=Term((feature.sum(1) + noise - target).abs()),
            noise=Term(noise),
            chance=Term(torch.ones_like(noise)),
            outputs=feature,
        )


def predict(count: int) -> tuple[list[dict], Tensor, Tensor]:
    """Predictions for clips of a constant, and what the formula reads."""
    model = make_pretrainer(dict(task=dict(type=NoisyHead)), targets=('clip.aim',)).eval()
    values, aims = torch.arange(1.0, count + 1), 10 * torch.arange(1.0, count + 1)
    clips = values[:, None, None, None, None].expand(count, 3, 2, 1, 1)
    torch.manual_seed(3)
    return model(dict(clip=clips), dict(clip=dict(aim=aims)), mode='predict'), values, aims


def test_two_clips_that_swap_their_features():
    samples, values, aims = predict(2)
    after = torch.rand(1)
    torch.manual_seed(3)
    noise = torch.rand(2)
    assert torch.equal(after, torch.rand(1)), 'random numbers go on as after one pass'
    for clip, sample in enumerate(samples):
        own, other = 3 * values[clip], 3 * values[1 - clip]
        found = sample['task']
        assert float(found['error']) == pytest.approx(float(abs(own + noise[clip] - aims[clip])))
        expected = float(abs(other + noise[clip] - aims[clip]))
        assert float(found['error_other_clip']) == pytest.approx(expected)
        assert found['noise_other_clip'] == found['noise'] == noise[clip]
        assert {name for name in found if OTHER_CLIP in name} == {
            'error_other_clip',
            'noise_other_clip',
        }, 'neither losses, outputs nor what a metric is compared with'


def test_a_clip_that_is_alone_has_no_other():
    ((sample,), *_) = predict(1)
    assert sample['task']['error'].isfinite()
    assert sample['task']['error_other_clip'].isnan()


@pytest.mark.usefixtures('data_of_methods')
@pytest.mark.parametrize('method', METHODS)
def test_every_task_of_every_method_is_measured(method):
    model, data = make_model(method, 4)
    for parameter in model.parameters():
        if not parameter.any():  # what starts at zero hides what it reads
            torch.nn.init.normal_(parameter, std=0.1)
    if method == 'hcpg':  # whose decoder would answer background everywhere
        torch.nn.init.zeros_(model.heads['parsing'].decoder.classify.bias)
    with torch.no_grad():
        samples = model.eval()(**data, mode='predict')
    for task, head in model.tasks.items():
        metrics = {
            n: [s[task][n] for s in samples] for n, v in samples[0][task].items() if not v.ndim
        }
        pairs = {n: n + OTHER_CLIP for n in metrics if n + OTHER_CLIP in metrics}
        assert pairs, task
        left = {n for n in metrics if n not in pairs and not n.endswith(OTHER_CLIP)}
        assert all(any(part in name for part in head.reference_names) for name in left), left
        # Of four clips that nothing was learned of, hits are mostly none, before and after.
        smooth = {own: other for own, other in pairs.items() if 'accuracy' not in own}
        assert all(metrics[own] != metrics[other] for own, other in smooth.items()), task
