"""A step of every method's shipped config, cut down: all of it is trained, by any batch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from mmengine.registry import init_default_scope
from torch import Tensor

import mmact_ssl  # noqa: F401  the fixes
from mmact_ssl.models.pretrainer import MultiTaskPretrainer
from mmact_ssl.registry import MODELS
from tests.helpers.masks import joint_mask
from tests.shipped import load

BATCH = 4
Targets = dict[str, dict[str, Tensor]]
Batch = tuple[dict[str, Tensor], Targets]  # inputs, targets


def clips(**lengths: int) -> Batch:
    """Normalized frames of views, and that none of them is padding."""
    inputs = {view: torch.randn(BATCH, 3, time, 32, 32) for view, time in lengths.items()}
    targets = {view: dict(valid=torch.ones(BATCH, t).bool()) for view, t in lengths.items()}
    return inputs, targets


def skeletons(time: int, *views: str) -> Batch:
    inputs = {view: torch.randn(BATCH, 1, time, 20, 3) for view in views}
    return inputs, {view: dict(valid=torch.ones(BATCH, 1, time).bool()) for view in views}


def csvr() -> Batch:
    inputs, targets = clips(clip=8, future=8, keyframes=3)
    for view in ('clip', 'future'):
        targets[view]['pose'] = torch.rand(BATCH, 8, 17, 3)
    return inputs, targets


def dtg() -> Batch:
    inputs, targets = clips(clip=8, clip_b=8)
    for view in inputs:
        targets[view]['imagenet'] = torch.randn(BATCH, 8, 1280)
        targets[view]['pose'] = torch.rand(BATCH, 8, 17, 3)
    return inputs, targets


def hcpg() -> Batch:
    inputs, targets = clips(clip=8, clip_b=8)
    targets['sample'] = dict(video=torch.arange(BATCH))
    targets['clip']['speed'] = torch.tensor([1, 2, 4, 1])
    targets['clip_b']['speed'] = torch.tensor([2, 1, 1, 4])
    targets['clip']['parts'] = (5 * torch.randn(BATCH, 8, 10, 16, 16)).softmax(2)
    return inputs, targets


def ms2l() -> Batch:
    inputs, targets = skeletons(6, 'clip', 'masked', 'shuffled')
    targets['shuffled']['permutation'] = torch.tensor([[0, 1, 2], [1, 2, 0], [2, 1, 0], [0, 2, 1]])
    return inputs, targets


def ms2l_masked() -> Batch:
    inputs, targets = skeletons(8, 'one', 'two', 'masked')
    targets['masked']['mask'] = joint_mask((BATCH, 1, 2, 20), 4)
    targets['masked']['known'] = torch.ones(BATCH, 1, 2, 20, 1).bool()
    return inputs, targets


def in_channels(width: int, *parts: str) -> dict[str, int]:
    return {f'model.{part}.in_channels': width for part in parts}


VIDEO = {'model.backbone.base_channels': 4}
ENCODER = 'model.heads.context.frame_encoder'
# Config, what makes it small, and its batch.
METHODS: dict[str, tuple[str, dict, Callable[[], Batch]]] = {
    'CSVR': (
        'csvr_r3d_demo.py',
        {
            **VIDEO,
            **in_channels(32, 'adapters.dynamic'),
            **in_channels(8, 'adapters.static'),
            'model.heads.context.frame_channels': 32,
            f'{ENCODER}.base_channels': 4,
            f'{ENCODER}.stem_channels': 4,
        },
        csvr,
    ),
    'DTG-Net': (
        'dtg_r3d18-small.py@demo',
        {**VIDEO, **in_channels(32, 'heads.guidance', 'heads.contrast')},
        dtg,
    ),
    'HCPG': (
        'hcpg_r3d_demo.py',
        {
            **VIDEO,
            **in_channels(
                32, *(f'adapters.{name}' for name in ('appearance', 'motion', 'parsing'))
            ),
        },
        hcpg,
    ),
    'MS2L': (
        'ms2l_gru.py@nwucla',
        {
            'model.backbone.hidden_size': 8,
            **in_channels(16, 'heads.motion', 'heads.jigsaw', 'heads.contrast'),
        },
        ms2l,
    ),
    'MS2L and MAMP': (
        'ms2l-masked_stt.py@nwucla',
        {
            'model.backbone.embed_dims': 16,
            'model.backbone.depth': 1,
            **in_channels(16, 'heads.contrast', 'heads.motion'),
        },
        ms2l_masked,
    ),
}


def make(method: str) -> tuple[MultiTaskPretrainer, Batch]:
    name, small, make_batch = METHODS[method]
    init_default_scope('mmact_ssl')
    torch.manual_seed(0)
    config = load(name)
    config.merge_from_dict(small)
    config.model.balancer = dict(type='FixedWeights')
    model = MODELS.build(config.model).train()
    model.init_weights()
    for copy, source in model.momentum_pairs():
        copy.start(source)
    return model, make_batch()


@pytest.mark.parametrize('method', METHODS)
def test_every_parameter_is_trained(method: str):
    """In one step, as distributed training asks."""
    model, (inputs, targets) = make(method)
    for parameter in model.parameters():
        if not parameter.any():  # behind what starts at zero nothing has a gradient
            torch.nn.init.normal_(parameter, std=0.1)
    model(inputs, targets, mode='loss')['loss'].backward()
    trained = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
    assert [name for name, gradient in trained.items() if gradient is None] == []
    idle = [name for name, gradient in trained.items() if not gradient.any()]
    # What real and fake do to a discriminator's last bias cancels inside the hinge's margins.
    assert all('discriminator' in name and name.endswith('score.bias') for name in idle), idle


@pytest.mark.parametrize('method', METHODS)
def test_a_last_batch_of_one_clip_does_not_end_a_run(method: str):
    """Losses and gradients are finite, and nothing becomes NaN that the next batch would read."""
    model, (inputs, targets) = make(method)
    alone = {view: value[:1] for view, value in inputs.items()}
    of_one = {view: {n: v[:1] for n, v in named.items()} for view, named in targets.items()}
    logs = model(alone, of_one, mode='loss')
    logs['loss'].backward()
    assert all(value.isfinite() for name, value in logs.items() if 'loss' in name), logs
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    assert not [name for name, gradient in gradients.items() if not gradient.isfinite().all()]
    state = model.state_dict().items()
    assert not [name for name, value in state if not value.isfinite().all()]
