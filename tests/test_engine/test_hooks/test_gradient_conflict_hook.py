"""The conflict hook: it measures, and training does not notice."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner
from torch import Tensor, nn

from mmact_ssl.engine.hooks.gradient_conflict_hook import (
    FILE_NAME,
    GradientConflictHook,
    norms_and_cosines,
)
from mmact_ssl.models.heads import PretextHead, Term
from mmact_ssl.models.pretrainer import MultiTaskPretrainer

LOADER = dict(collate_fn=dict(type='pseudo_collate'))


class Backbone(nn.Module):
    """Has what measuring could disturb: batch statistics and random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv3d(3, 4, 1)
        self.norm = nn.BatchNorm3d(4)
        self.last = nn.Conv3d(4, 4, 1)

    def forward(self, frames: Tensor) -> Tensor:
        return self.last(nn.functional.dropout(self.norm(self.stem(frames)).relu(), 0.3))


class Head(PretextHead):
    """Draws random numbers and counts its steps, as heads do."""

    def __init__(self, view: str, aim: float) -> None:
        super().__init__(dict(feature_map=f'{view}.feature_map'))
        self.aim = aim
        self.norm = nn.BatchNorm3d(4)
        self.classifier = nn.Conv3d(4, 1, 1)

    def terms(self, feature_map: Tensor) -> dict[str, Term]:
        features = nn.functional.dropout(self.norm(feature_map), 0.2)
        noise = 0.1 * torch.rand(())
        distance = (self.classifier(features) - self.aim - noise).square()
        return dict(loss=Term(distance.flatten(1).mean(1)))


class Frames(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> dict:
        generator = torch.Generator().manual_seed(index)
        views = torch.randint(256, (2, 3, 2, 4, 4), generator=generator, dtype=torch.uint8)
        return dict(inputs=dict(clip=views[0], clip_b=views[1]), targets={}, data_samples=None)


def config(**changes) -> dict:
    """A model of three tasks on two views."""
    heads = dict(up=('clip', 2.0), down=('clip_b', -2.0), third=('clip', 0.5))
    views = ('clip', 'clip_b')
    scale = dict(mean=[128.0] * 3, std=[64.0] * 3)
    return dict(
        backbone=dict(type=Backbone),
        heads={t: dict(type=Head, view=view, aim=aim) for t, (view, aim) in heads.items()},
        data_preprocessor=dict(type='mmact_ssl.PretextDataPreprocessor', views=views, **scale),
        encode=views,
        **changes,
    )


@pytest.fixture
def train(tmp_path, make_runner):
    """Trains with or without the hook."""

    def run(name, *, interval, epochs=2, balancer='FixedWeights', weights=None, **changes):
        torch.manual_seed(0)
        hooks = [dict(type='SeedByProgressHook')]
        if interval is not None:
            hooks.append(dict(type='GradientConflictHook', interval=interval))
        model = config(balancer=dict(type=balancer, weights=weights))
        model = dict(type='MultiTaskPretrainer', **model)
        runner = make_runner(
            tmp_path / name, model, Frames(), hooks, epochs, loader=LOADER, **changes
        )
        runner.train()
        return runner

    return run


def records(work_dir: Path) -> list[dict]:
    return [json.loads(line) for line in (work_dir / FILE_NAME).read_text().splitlines()]


def history(runner: Runner) -> list[float]:
    return runner.message_hub.get_scalar('train/loss').data[0].tolist()


@pytest.mark.parametrize('balancer', ['FixedWeights', 'PCGrad', 'GradNorm', 'UncertaintyWeights'])
def test_training_is_the_same_to_the_bit_with_and_without(tmp_path, train, balancer):
    options = dict(balancer=balancer, weights=dict(up=2.0))
    plain = train('plain', interval=None, **options)
    watched = train('watched', interval=2, **options)
    assert history(plain) == history(watched)
    assert len(history(plain)) == 8
    for key, value in plain.model.state_dict().items():
        assert torch.equal(value, watched.model.state_dict()[key]), key
    assert [record['step'] for record in records(tmp_path / 'watched')] == [1, 3, 5, 7]
    assert watched.model.loss_observers == []

    names = set(watched.message_hub.log_scalars)
    assert {'conflict/up~down', 'conflict/up~third', 'conflict/down~third'} <= names
    assert {'conflict/norm/up', 'conflict/norm/down', 'conflict/norm/third'} <= names
    scalars = next((tmp_path / 'watched').rglob('scalars.json')).read_text()
    assert scalars.count('"conflict/up~down"') == 4
    learned = {f'train/weight/{task}' for task in ('up', 'down', 'third')}
    moves = balancer in ('GradNorm', 'UncertaintyWeights')
    assert learned & names == (learned if moves else set())
    if moves:
        assert len(set(watched.message_hub.get_scalar('train/weight/up').data[0].tolist())) == 8


@pytest.mark.parametrize('balancer', ['PCGrad', 'GradNorm', 'UncertaintyWeights'])
def test_a_resumed_run_continues_to_the_bit(tmp_path, train, balancer):
    options = dict(interval=3, epochs=3, balancer=balancer)
    whole = train('whole', **options)
    checkpoint = str(tmp_path / 'whole' / 'epoch_1.pth')
    resumed = train('resumed', resume=True, load_from=checkpoint, **options)
    assert history(resumed) == history(whole)
    for key, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[key]), key
    assert records(tmp_path / 'resumed') == [
        r for r in records(tmp_path / 'whole') if r['step'] > 4
    ]


def test_measurements_of_another_training_do_not_stay(tmp_path, train):
    """Of a longer one in the same folder, and of steps that are taken again after resuming."""
    train('run', interval=1, epochs=3)
    first = records(tmp_path / 'run')
    assert [record['step'] for record in first] == list(range(1, 13))
    train('run', interval=3, epochs=1)
    assert [record['step'] for record in records(tmp_path / 'run')] == [1, 4]
    # The last checkpoint is that of step 4; a killed process had gone on to step 7.
    lines = [dict(first[0], step=1), dict(first[1], step=4), dict(first[2], step=7)]
    text = ''.join(json.dumps(line) + '\n' for line in lines)
    (tmp_path / 'run' / FILE_NAME).write_text(text + '{"epoch": 3, "st')
    checkpoint = str(tmp_path / 'run' / 'epoch_1.pth')
    train('run', interval=2, epochs=2, resume=True, load_from=checkpoint)
    found = records(tmp_path / 'run')
    assert [record['step'] for record in found] == [1, 4, 5, 7]
    assert found[:2] == lines[:2]
    assert found[3] != lines[2]


def test_numbers_are_those_of_single_tasks(tmp_path, make_runner):
    """In the first step, against each task's own backward pass in the same forward pass."""
    twin = MultiTaskPretrainer(
        **config(balancer=dict(type='mmact_ssl.FixedWeights', weights=dict(up=2.0)))
    )
    seen = {}

    def measure(module: nn.Module, arguments: tuple) -> None:
        if seen:
            return
        weight = twin.backbone.last.weight
        rows = {
            task: torch.autograd.grad(loss, weight, retain_graph=True)[0].double().flatten()
            for task, loss in arguments[0].items()
        }
        rows['up'] = 2 * rows['up']
        seen['norms'] = {task: float(row.norm()) for task, row in rows.items()}
        seen['cosines'] = {
            f'{a}~{b}': float(rows[a] @ rows[b] / rows[a].norm() / rows[b].norm())
            for a, b in combinations(rows, 2)
        }

    twin.balancer.register_forward_pre_hook(measure)
    hooks = [GradientConflictHook(interval=5)]
    make_runner(tmp_path, twin, Frames(), hooks, loader={**LOADER, 'batch_size': 4}).train()
    (record,) = records(tmp_path)
    assert record['step'] == 1
    assert record['norms'] == pytest.approx(seen['norms'], rel=1e-4)
    assert record['cosines'] == pytest.approx(seen['cosines'], rel=1e-3, abs=1e-5)


def test_what_is_not_defined_is_none():
    gram = torch.tensor([[4.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    norms, cosines = norms_and_cosines(['a', 'b', 'c'], gram)
    assert norms == dict(a=2, b=1, c=0)
    assert cosines == {'a~b': -0.5, 'a~c': None, 'b~c': None}
    gram[0, 0] = float('inf')
    norms, cosines = norms_and_cosines(['a', 'b', 'c'], gram)
    assert norms == dict(a=None, b=1, c=0)
    assert set(cosines.values()) == {None}
