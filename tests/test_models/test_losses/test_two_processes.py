"""Two processes with half a batch each have the loss and gradients of one with the whole batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import mmact_ssl  # noqa: F401  the fixes
from mmact_ssl.models.balancers.balancer import UncertaintyWeights
from mmact_ssl.models.losses.common import global_mean
from mmact_ssl.models.momentum.copy import MomentumCopy
from tests.helpers.processes import in_two_processes
from tests.test_models.cases import BATCH, cases


def losses_and_gradients(rank: int, world_size: int) -> dict[str, dict[str, Tensor]]:
    """Of this process's share of each batch: each loss, and the gradient of their sum."""
    results = {}
    for case, (module, batch) in cases().items():
        own = {name: value.chunk(world_size)[rank] for name, value in batch.items()}
        losses = {name: v for name, v in module.loss(**own).items() if 'loss' in name}
        sum(losses.values()).backward()
        results[case] = {name: value.detach() for name, value in losses.items()}
        if case == 'queue':
            queues = {name: value.clone() for name, value in module.queue.state_dict().items()}
            results['queue after'] = queues
        if case == 'dino':
            module.losses[0].after_step()
            results['center after'] = dict(center=module.losses[0].center)
        for name, parameter in module.named_parameters():
            if not parameter.requires_grad:  # a momentum copy
                continue
            results[case][f'gradient of {name}'] = parameter.grad
    results['copy after'] = momentum_copy_after(rank, world_size)
    results['chance'] = chance_of_prompts(rank, world_size)
    results['uncertainty'] = uncertainty_after(rank, world_size)
    return results


def chance_of_prompts(rank: int, world_size: int) -> dict[str, Tensor]:
    """Chance to find the sentence of one's own clips, NaN without a sentence."""
    head, batch = cases()['prompts']
    own = {name: value.chunk(world_size)[rank] for name, value in batch.items()}
    return dict(chance=head.predict(**own)['chance'])


def uncertainty_after(rank: int, world_size: int) -> dict[str, Tensor]:
    """Gradients of the log variances: of one task one process has nothing, of another both have."""
    balancer = UncertaintyWeights(tasks=('every', 'few', 'none'))
    counted = dict(
        every=torch.ones(BATCH),
        few=(torch.arange(BATCH) < BATCH // 2).float(),
        none=torch.zeros(BATCH),
    )
    losses = {
        task: global_mean(torch.arange(1.0, BATCH + 1).chunk(world_size)[rank], own)
        for task, own in ((t, c.chunk(world_size)[rank]) for t, c in counted.items())
    }
    balancer(losses, 0.0, None, losses).backward()
    return {name: parameter.grad for name, parameter in balancer.named_parameters()}


def momentum_copy_after(rank: int, world_size: int) -> dict[str, Tensor]:
    """A momentum copy after two steps, in which each process's student saw its own samples."""
    torch.manual_seed(1)
    student = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    copy = MomentumCopy(student, 0.5)
    copy.start(student)
    for samples in torch.randn(2, BATCH, 3):
        student(samples.chunk(world_size)[rank])
        copy.follow(student)
    return {name: value.clone() for name, value in copy.module.state_dict().items()}


def half(rank: int, folder: Path) -> dict[str, dict[str, Tensor]]:
    return losses_and_gradients(rank, 2)


@pytest.fixture(scope='module')
def halves(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """Values that two processes saw."""
    return in_two_processes(half, tmp_path_factory.mktemp('two'))


@pytest.fixture(scope='module')
def whole() -> dict:
    return losses_and_gradients(0, 1)


CASES = sorted(cases())


@pytest.mark.parametrize('case', CASES)
def test_means_of_two_processes_equal_one_process(case: str, halves: list[dict], whole: dict):
    """Distributed training takes the mean of both, as is done here."""
    assert sum('gradient' in name for name in whole[case]) >= 2
    for name, expected in whole[case].items():
        mean = (halves[0][case][name] + halves[1][case][name]) / 2
        torch.testing.assert_close(
            mean, expected, rtol=1e-3, atol=1e-5, msg=lambda m, n=name: f'{n}: {m}'
        )
    assert any(
        not torch.allclose(halves[0][case][name], expected)
        for name, expected in whole[case].items()
    ), 'the halves are not alike, or the test could not fail'


def test_every_process_has_the_queue_of_one(halves: list[dict], whole: dict):
    expected = whole['queue after']
    assert expected['pointer'] == (4 + BATCH) % 9 and expected['filled'].all()
    for name, value in expected.items():
        assert torch.equal(halves[0]['queue after'][name], halves[1]['queue after'][name]), name
        torch.testing.assert_close(halves[0]['queue after'][name], value)


def test_every_process_has_the_center_of_one(halves: list[dict], whole: dict):
    for name, value in whole['center after'].items():
        assert torch.equal(halves[0]['center after'][name], halves[1]['center after'][name]), name
        torch.testing.assert_close(halves[0]['center after'][name], value, rtol=1e-5, atol=1e-7)
        assert value.any()


def test_every_process_has_the_same_momentum_copy(halves: list[dict], whole: dict):
    """Though batch normalization has other statistics in each."""
    first, second = (half['copy after'] for half in halves)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    # The mean of both halves' means is that of the whole; of variances it is not.
    torch.testing.assert_close(first['1.running_mean'], whole['copy after']['1.running_mean'])


def test_chance_is_among_the_sentences_that_are_searched(halves: list[dict], whole: dict):
    chance = torch.cat([half['chance']['chance'] for half in halves])
    torch.testing.assert_close(chance, whole['chance']['chance'], equal_nan=True)
    assert (chance[~chance.isnan()] == 1 / 4).all(), 'four of the six clips have a sentence'


def test_a_process_without_a_task_that_others_have_still_learns_its_uncertainty(
    halves: list[dict], whole: dict
):
    """Distributed training takes the mean of both: by that of all samples, 1 - loss."""
    first, second = (half['uncertainty'] for half in halves)
    for task, loss in dict(every=3.5, few=2.0, none=1.0).items():
        name = f'log_variances.{task}'
        assert float(whole['uncertainty'][name]) == pytest.approx(1 - loss)
        assert float(first[name] + second[name]) / 2 == pytest.approx(1 - loss)
    # That of the process with nothing: left out by it alone, the mean would be half as large.
    assert float(second['log_variances.few']) == 1
