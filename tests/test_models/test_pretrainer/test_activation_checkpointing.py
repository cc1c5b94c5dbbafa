"""Recomputing activations in the backward pass changes neither gradients nor statistics."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import init_default_scope
from mmengine.runner.activation_checkpointing import turn_on_activation_checkpointing
from torch import Tensor

from mmact_ssl.models.encoding import keep_statistics_once
from mmact_ssl.registry import MODELS
from tests.helpers.processes import in_two_processes

VIEWS = ('clip', 'clip_b')
WHOLE = ['backbone']
STEM = ['backbone.conv1']
STAGES = ['backbone.conv1', 'backbone.layer1', 'backbone.layer3']
MOMENTUM = dict(encode=('clip',), momentum_encoder=dict(views=('clip_b',)))


def make(frozen_stages: int = -1, with_cp: bool = False, **changes):
    """A contrast of two views by a small R3D-18."""
    init_default_scope('mmact_ssl')
    torch.manual_seed(0)
    inputs = dict(clip_b='clip_b.momentum_pooled') if 'momentum_encoder' in changes else {}
    head = dict(type='ContrastHead', in_channels=32, views=VIEWS, target='pair', inputs=inputs)
    model = dict(
        type='MultiTaskPretrainer',
        backbone=dict(
            type='mmaction.ResNet3d',
            depth=18,
            base_channels=4,
            conv1_kernel=(3, 3, 3),
            pretrained=None,
            frozen_stages=frozen_stages,
            with_cp=with_cp,
        ),
        data_preprocessor=dict(
            type='PretextDataPreprocessor', mean=[0] * 3, std=[255] * 3, views=VIEWS
        ),
        heads=dict(contrast=dict(head, hidden_dim=8, embedding_dim=4)),
        encode=VIEWS,
    )
    built = MODELS.build({**model, **changes})
    built.init_weights()
    for copy, source in built.momentum_pairs():
        copy.start(source)
    return built.train()


def step(modules: list[str], seed: int = 1, wrap=None, **changes):
    """Gradients, accumulated over two batches, and buffers."""
    model = make(**changes)
    run = model if wrap is None else wrap(model)
    keep_statistics_once(model)
    turn_on_activation_checkpointing(model, modules)
    torch.manual_seed(seed)
    for _ in range(2):
        inputs = dict(clip=torch.randn(4, 3, 4, 16, 16), clip_b=torch.randn(4, 3, 4, 16, 16) + 2)
        run(inputs, mode='loss')['loss'].backward()
    gradients = {n: p.grad for n, p in model.named_parameters() if p.requires_grad}
    return {**gradients, **dict(model.named_buffers())}


def check_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert [name for name, value in found.items() if value is None] == []
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-6, atol=1e-7, msg=name)


@pytest.mark.parametrize('modules', [WHOLE, STEM, STAGES])
@pytest.mark.parametrize(
    'changes',
    [
        {},
        dict(statistics_views=('clip',)),
        dict(encode_together=True),
        MOMENTUM,
    ],
    ids=lambda changes: next(iter(changes), 'plain'),
)
def test_gradients_and_statistics_stay(modules, changes):
    check_same(step(modules, **changes), step([], **changes))


def test_stages_after_frozen_ones_get_gradients():
    """Their input needs none, as that of the stem."""
    modules = ['backbone.layer2', 'backbone.layer3']
    check_same(step(modules, frozen_stages=1), step([], frozen_stages=1))


@pytest.mark.parametrize('views', [None, ('clip',)])
def test_a_backbone_that_recomputes_by_itself(views):
    changes = dict(statistics_views=views)
    check_same(step([], with_cp=True, **changes), step([], **changes))


def test_layers_have_their_momentum_again():
    model = make()
    keep_statistics_once(model)
    turn_on_activation_checkpointing(model, WHOLE)
    view = torch.randn(2, 3, 4, 16, 16)
    model(dict(clip=view, clip_b=view), mode='loss')['loss'].backward()
    layers = [m for m in model.backbone.modules() if isinstance(m, torch.nn.BatchNorm3d)]
    assert layers and all(layer.momentum == 0.1 for layer in layers)


def in_process(rank: int, folder: Path) -> list[dict[str, Tensor]]:
    def wrap(model):
        return MMDistributedDataParallel(model, broadcast_buffers=False)

    return [step(modules, seed=rank, wrap=wrap) for modules in (STAGES, WHOLE, [])]


def test_several_processes_may_encode_views_apart(tmp_path: Path):
    """Each layer then runs twice a step, and DistributedDataParallel waits for one gradient."""
    for stages, whole, expected in in_two_processes(in_process, tmp_path):
        check_same(stages, expected)
        check_same(whole, expected)
