"""Two optimizers, one backward pass: against plain torch code, and in two processes."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.model import BaseModel, MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

import mmact_ssl  # noqa: F401  the fixes
from mmact_ssl.engine.optimizers import AdversarialOptimWrapper, AdversarialOptimWrapperConstructor
from mmact_ssl.errors import ConfigError
from mmact_ssl.models.losses.hinge_gan import HingeGANLoss
from tests.helpers.processes import in_two_processes

CONFIG = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.05, weight_decay=0.1),
    adversary=dict(optimizer=dict(type='Adam', lr=0.02, betas=(0.0, 0.9))),
)


class TwoSided(BaseModel):
    """A student that pleases a discriminator, which tells its outputs from the inputs."""

    def __init__(self, adversarial: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3), nn.Linear(3, 3))
        self.head = nn.ModuleDict()
        if adversarial:
            layers = (nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 1, bias=False))
            self.head['discriminator'] = nn.Sequential(*layers)

    def sides(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The student's and the adversary's loss."""
        features = self.backbone(inputs)
        student = (features - inputs[:, :3]).square().mean()
        if 'discriminator' not in self.head:
            return student, student.new_zeros(())
        losses = HingeGANLoss(weight=1.0)(self.head['discriminator'], inputs[:, 1:], features)
        return student + losses.generator.mean(), losses.discriminator.mean()

    def forward(self, inputs: Tensor, mode: str = 'loss') -> dict[str, Tensor]:
        student, adversary = self.sides(inputs)
        return dict(loss_student=student, loss_adversary=adversary)


def batches(count: int, size: int = 8) -> list[Tensor]:
    return list(torch.randn(count, size, 4, generator=torch.Generator().manual_seed(1)))


def build(model: nn.Module, config: dict = CONFIG, paramwise: dict | None = None) -> OptimWrapper:
    return AdversarialOptimWrapperConstructor(config, paramwise)(model)


def train(model: BaseModel, wrapper: OptimWrapper, data: list[Tensor]) -> list[float]:
    return [float(model.train_step(dict(inputs=batch), wrapper)['loss']) for batch in data]


def reference(
    data: list[Tensor], clip_student: float | None = None, clip_adversary: float | None = None
) -> TwoSided:
    """Plain torch: each side's gradient by itself, then a step of each optimizer."""
    model = TwoSided()
    sides = (model.backbone, model.head)
    optimizers = (
        torch.optim.AdamW(model.backbone.parameters(), lr=0.05, weight_decay=0.1),
        torch.optim.Adam(model.head.parameters(), lr=0.02, betas=(0.0, 0.9)),
    )
    for batch in data:
        for side, loss in zip(sides, model.sides(batch)):
            parameters = list(side.parameters())
            for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters)):
                parameter.grad = gradient
        for side, optimizer, norm in zip(sides, optimizers, (clip_student, clip_adversary)):
            if norm is not None:
                torch.nn.utils.clip_grad_norm_(side.parameters(), norm)
            optimizer.step()
    return model


def assert_same_weights(one: nn.Module, other: nn.Module, **tolerance: float) -> None:
    other_state = other.state_dict()
    for name, value in one.state_dict().items():
        torch.testing.assert_close(
            value, other_state[name], msg=lambda m, n=name: f'{n}: {m}', **tolerance
        )


@pytest.mark.parametrize(
    ('student', 'adversary'), [(None, None), (0.1, None), (None, 0.1), (0.2, 0.1)]
)
def test_steps_equal_two_optimizers_by_hand_with_a_norm_for_each(student, adversary):
    config = copy.deepcopy(CONFIG)
    config['clip_grad'] = student and dict(max_norm=student)
    config['adversary']['clip_grad'] = adversary and dict(max_norm=adversary)
    model = TwoSided()
    hub = MessageHub.get_current_instance()
    norms = {'train/grad_norm': student, 'train/adversary_grad_norm': adversary}
    for name in norms:
        hub.log_scalars.pop(name, None)
    train(model, build(model, config), batches(3))
    assert_same_weights(model, reference(batches(3), student, adversary))
    assert {name for name in norms if name in hub.log_scalars} == {n for n in norms if norms[n]}


def test_without_discriminators_it_is_an_ordinary_wrapper():
    model = TwoSided(adversarial=False)
    wrapper = build(model)
    assert type(wrapper) is OptimWrapper
    members = [id(p) for group in wrapper.optimizer.param_groups for p in group['params']]
    assert sorted(members) == sorted(id(p) for p in model.parameters())


def test_the_adversary_has_only_its_own_optimizer_and_clipping():
    adversary = dict(CONFIG['adversary'], accumulative_counts=3)
    with pytest.raises(ConfigError, match=r'adversary\.accumulative_counts: only .* for both'):
        build(TwoSided(), dict(CONFIG, adversary=adversary))
    with pytest.raises(ConfigError, match='no parameters but those of discriminators'):
        build(TwoSided().head)


def test_paramwise_settings_hold_for_both_sides():
    paramwise = dict(
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        custom_keys={'backbone.2.weight': dict(lr_mult=0.1)},
    )
    config = copy.deepcopy(CONFIG)
    config['adversary']['optimizer']['weight_decay'] = 0.3
    model = TwoSided()
    wrapper = build(model, config, paramwise)
    settings = {
        id(p): (round(group['lr'], 6), group['weight_decay'])
        for side in wrapper.values()
        for group in side.optimizer.param_groups
        for p in group['params']
    }
    assert {name: settings[id(p)] for name, p in model.named_parameters()} == {
        'backbone.0.weight': (0.05, 0.1),
        'backbone.0.bias': (0.05, 0.0),
        'backbone.1.weight': (0.05, 0.0),
        'backbone.1.bias': (0.05, 0.0),
        'backbone.2.weight': (0.005, 0.1),
        'backbone.2.bias': (0.05, 0.0),
        'head.discriminator.0.weight': (0.02, 0.3),
        'head.discriminator.0.bias': (0.02, 0.0),
        'head.discriminator.2.weight': (0.02, 0.3),
    }


MIXED = {
    **CONFIG,
    'type': 'AmpOptimWrapper',
    'loss_scale': dict(init_scale=64.0, growth_interval=2),
}


def train_in_full_precision(model: TwoSided, wrapper: OptimWrapper, data: list[Tensor]) -> None:
    """train_step without autocast, which on CPU knows only bfloat16: the scaler is tested here."""
    for batch in data:
        wrapper.update_params(sum(model.sides(batch)))


@pytest.mark.usefixtures('amp_on_cpu')
def test_one_loss_scale_serves_both_sides():
    """Scaled, unscaled once, clipped at the true norm; the scale grows once per iteration."""
    model = TwoSided()
    wrapper = build(model, {**MIXED, 'clip_grad': dict(max_norm=0.1)})
    scaler = wrapper['student'].loss_scaler
    assert wrapper['adversary'].loss_scaler is scaler
    scales = []
    for batch in batches(5):
        train_in_full_precision(model, wrapper, [batch])
        scales.append(scaler.get_scale())
    assert scales == [64, 128, 128, 256, 256]
    assert_same_weights(model, reference(batches(5), 0.1, 0.1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('overflows', ['backbone', 'head'])
@pytest.mark.usefixtures('amp_on_cpu')
def test_a_side_that_overflows_is_skipped_and_the_scale_falls(overflows):
    model = TwoSided()
    wrapper = build(model, MIXED)
    before = copy.deepcopy(model.state_dict())
    student, adversary = model.sides(batches(1)[0])
    huge = torch.tensor(float('inf'))
    loss = student * huge + adversary if overflows == 'backbone' else student + adversary * huge
    wrapper.update_params(loss)
    assert wrapper['student'].loss_scaler.get_scale() == 32
    for name, value in model.state_dict().items():
        assert value.isfinite().all()
        assert torch.equal(value, before[name]) == name.startswith(overflows), name
    # The next step is an ordinary one again.
    train_in_full_precision(model, wrapper, batches(1))
    assert all(not torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize('mixed', [False, True])
@pytest.mark.usefixtures('amp_on_cpu')
def test_a_resumed_run_continues_identically(mixed):
    config = {**MIXED, 'dtype': 'bfloat16'} if mixed else CONFIG
    whole = TwoSided()
    losses = train(whole, build(whole, config), batches(6))
    if mixed:
        full = train(TwoSided(), build(TwoSided()), batches(1))[0]
        assert losses[0] != full, 'autocast was on'
        assert losses[0] == pytest.approx(full, rel=0.02)

    killed = TwoSided()
    wrapper = build(killed, config)
    first = train(killed, wrapper, batches(6)[:3])
    saved = copy.deepcopy(dict(model=killed.state_dict(), optimizer=wrapper.state_dict()))
    assert set(saved['optimizer']) == {'student', 'adversary'}

    resumed = TwoSided()
    train(resumed, build(resumed, config), batches(2))  # anything, that must not survive
    wrapper = build(resumed, config)
    resumed.load_state_dict(saved['model'])
    wrapper.load_state_dict(saved['optimizer'])
    if mixed:
        assert wrapper['student'].loss_scaler.get_scale() == 128
    assert first + train(resumed, wrapper, batches(6)[3:]) == losses
    assert_same_weights(resumed, whole, rtol=0, atol=0)


def test_two_processes_equal_one_with_the_whole_batch(tmp_path: Path):
    """mmengine's distributed train_step, with accumulation: same weights on both, as by hand."""
    first, second = in_two_processes(train_as_one_of_two, tmp_path)
    for accumulate, state in first.items():
        for name, value in state.items():
            assert torch.equal(value, second[accumulate][name]), name
        whole = [torch.cat(batches(4)[i : i + accumulate]) for i in range(0, 4, accumulate)]
        expected = reference(whole).state_dict()
        for name, value in state.items():
            torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-5)


def train_as_one_of_two(rank: int, folder: Path) -> dict[int, dict[str, Tensor]]:
    """Train on this process's half of each batch; the weights, by number of accumulations."""
    states = {}
    for accumulate in (1, 2):
        wrapped = MMDistributedDataParallel(TwoSided(), device_ids=None)
        wrapper = build(wrapped, {**CONFIG, 'accumulative_counts': accumulate})
        assert isinstance(wrapper, AdversarialOptimWrapper)
        wrapper.initialize_count_status(wrapped, 0, 4)
        for batch in batches(4):
            wrapped.train_step(dict(inputs=batch.chunk(2)[rank]), wrapper)
        states[accumulate] = wrapped.module.state_dict()
    return states
