"""The conflict hook: it measures, and training does not notice."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import cv2
import pytest
import torch
from mmengine.runner import Runner
from torch import nn

from mmact_ssl.models.pretrainer import MultiTaskPretrainer
from research.gradient_conflict import FILE_NAME, GradientConflictHook, main, norms_and_cosines
from tests.helpers.three_tasks import LOADER, Frames, config

HOOK = 'research.gradient_conflict.GradientConflictHook'


@pytest.fixture
def train(tmp_path, make_runner):
    """Trains with or without the hook."""

    def run(name, *, interval, epochs=2, balancer='FixedWeights', weights=None, **changes):
        torch.manual_seed(0)
        hooks = [dict(type='SeedByProgressHook')]
        if interval is not None:
            hooks.append(dict(type=HOOK, interval=interval))
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


@pytest.mark.parametrize('balancer', ['FixedWeights', 'PCGrad', 'UncertaintyWeights'])
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
    moves = balancer == 'UncertaintyWeights'
    assert learned & names == (learned if moves else set())
    if moves:
        assert len(set(watched.message_hub.get_scalar('train/weight/up').data[0].tolist())) == 8


@pytest.mark.parametrize('balancer', ['PCGrad', 'UncertaintyWeights'])
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


def test_conflicts_are_drawn_into_each_work_dir(tmp_path, capsys):
    folders = [tmp_path / name for name in ('one', 'two')]
    for folder in folders:
        folder.mkdir()
        records = [
            dict(epoch=1, step=step, norms=dict(a=1.0, b=2.0), cosines={'a~b': -0.25})
            for step in (1, 11, 21)
        ]
        lines = [json.dumps(record) for record in records]
        (folder / FILE_NAME).write_text('\n'.join(lines) + '\n')
    main(['draw', *map(str, folders)])
    pictures = [str(folder / 'conflict.png') for folder in folders]
    assert capsys.readouterr().out.split() == pictures
    for picture in pictures:
        assert cv2.imread(picture).std() > 10
