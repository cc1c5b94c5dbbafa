"""The tasks' shares of the gradient, against autograd, and a training that they leave alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mmact_ssl.engine.hooks.gradient_share_hook import GradientShareHook
from mmact_ssl.models.balancers.shared_gradients import SharedGradients
from mmact_ssl.models.heads import PretextHead, Term
from tests.helpers.processes import in_two_processes
from tests.helpers.three_tasks import LOADER, Frames, config


def shares(losses: dict[str, Tensor], maps: list[Tensor], scale: float = 1.0, **weights: float):
    hook = GradientShareHook()
    hook.scale = scale
    factors = torch.tensor([weights.get(task, 1.0) for task in losses])
    found = hook.measure(SharedGradients(losses, maps, nn.Linear(1, 1)), factors)
    return {task: float(share) for task, share in found.items()}


@pytest.mark.parametrize('scale', [1.0, 2.0**14])
def test_shares_are_weighted_norms_of_gradients_on_the_maps(scale):
    """Against each task's own backward pass in float64."""
    generator = torch.Generator().manual_seed(0)
    maps = [torch.randn(4, 3, generator=generator, dtype=torch.float64) for _ in range(2)]
    one, two = (m.requires_grad_() for m in maps)
    losses = dict(one=one.square().sum(), both=(one * two).sin().sum(), none=torch.tensor(2.0))
    rows = []
    for loss in (losses['one'], 3 * losses['both']):
        found = torch.autograd.grad(loss, maps, retain_graph=True, materialize_grads=True)
        rows.append(torch.cat(found))
    norms = [float(row.norm()) for row in rows]
    expected = dict(one=norms[0] / sum(norms), both=norms[1] / sum(norms), none=0.0)
    assert shares(losses, maps, scale, both=3.0) == pytest.approx(expected, rel=1e-5)
    assert one.grad is None and two.grad is None


def test_no_share_is_known_where_a_gradient_overflows():
    one = torch.ones(2, dtype=torch.float16, requires_grad=True)
    losses = dict(large=(6e4 * one).sum(), small=one.sum())
    assert all(share != share for share in shares(losses, [one], scale=2.0).values())


def test_what_does_not_reach_the_student_has_no_share():
    """A discriminator's loss, on samples whose gradient is cut, and a path around the student."""
    feature = torch.randn(3, 4, requires_grad=True)
    discriminator = nn.Linear(4, 1)
    score = discriminator(feature.detach()).mean()
    losses = dict(
        gan=1000 * score
        - 0.01 * nn.functional.linear(feature, discriminator.weight.detach()).sum(),
        around=score.square(),
        plain=feature.mean(),
    )
    found = shares(losses, [feature])
    generator = 0.01 * 3**0.5 * float(discriminator.weight.norm())  # the same row for each clip
    plain = 12**0.5 / 12
    assert found['around'] == 0
    assert found['gan'] == pytest.approx(generator / (generator + plain), rel=1e-5)


class GanHead(PretextHead):
    """A generator with noise against a discriminator, both in one backward pass."""

    inputs = dict(feature_map='clip.feature_map')

    def __init__(self) -> None:
        super().__init__()
        self.generator, self.discriminator = nn.Conv3d(4, 4, 1), nn.Conv3d(4, 1, 1)

    def terms(self, feature_map: Tensor) -> dict[str, Term]:
        fake = self.generator(feature_map + 0.1 * torch.randn_like(feature_map))
        weight = self.discriminator.weight.detach()
        score = self.discriminator(fake.detach()).square().flatten(1).mean(1)
        fooled = nn.functional.conv3d(fake, weight).flatten(1).mean(1)
        return dict(loss_generator=Term(-fooled), loss_discriminator=Term(score))


@pytest.fixture
def train(tmp_path, make_runner):
    """Trains three tasks, one of them adversarial, with or without the hook."""

    def run(name: str, hooked: bool, **changes):
        torch.manual_seed(0)
        model = dict(config(balancer=dict(type=changes.pop('balancer', 'FixedWeights'))))
        model['heads'].update(third=None, gan=dict(type=GanHead))
        hooks = [dict(type='SeedByProgressHook')]
        if hooked:
            hooks.append(dict(type='GradientShareHook', interval=2))
        optimizer = dict(
            constructor='AdversarialOptimWrapperConstructor',
            optimizer=dict(type='SGD', lr=0.01),
            **changes.pop('wrapper', {}),
        )
        runner = make_runner(
            tmp_path / name,
            dict(type='MultiTaskPretrainer', **model),
            Frames(),
            hooks,
            loader=LOADER,
            optim_wrapper=optimizer,
            log_processor=dict(type='ShortLogProcessor', window_size=1),
            **changes,
        )
        runner.train()
        return runner

    return run


MIXED = dict(wrapper=dict(type='AmpOptimWrapper', dtype='bfloat16', loss_scale='dynamic'))


@pytest.mark.parametrize(
    'options',
    [{}, dict(balancer='PCGrad'), MIXED, dict(wrapper=dict(accumulative_counts=2))],
    ids=['plain', 'PCGrad', 'mixed precision', 'accumulation'],
)
@pytest.mark.usefixtures('amp_on_cpu')
def test_training_is_the_same_to_the_bit_with_and_without(train, options):
    plain, watched = train('plain', False, **options), train('watched', True, **options)
    histories = [r.message_hub.get_scalar('train/loss').data[0].tolist() for r in (plain, watched)]
    assert histories[0] == histories[1] and len(histories[0]) == 4
    for key, value in plain.model.state_dict().items():
        assert torch.equal(value, watched.model.state_dict()[key]), key
    assert watched.model.loss_observers == []
    found = {
        task: watched.message_hub.get_scalar(f'train/share/{task}') for task in watched.model.tasks
    }
    assert all(len(history.data[0]) == 2 for history in found.values())
    values = [history.current() for history in found.values()]
    assert sum(values) == pytest.approx(1, abs=1e-4) and all(0 < value < 1 for value in values)


def two_processes(rank: int, folder: Path) -> dict[str, float]:
    """Shares of tasks of which one counts on the first process alone."""
    feature = torch.full((2, 3), 1.0 + rank, requires_grad=True)
    losses = dict(even=feature.square().sum(), first=(feature * (rank == 0)).sum())
    return shares(losses, [feature])


def test_they_are_of_all_processes_together(tmp_path):
    results = in_two_processes(two_processes, tmp_path)
    norms = dict(even=(6 * 4 + 6 * 16) ** 0.5, first=6**0.5)
    expected = {task: norm / sum(norms.values()) for task, norm in norms.items()}
    assert results == [pytest.approx(expected, rel=1e-5)] * 2
