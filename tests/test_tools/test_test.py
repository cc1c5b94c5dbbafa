"""The testing program: strict loading, and results of the pretext tasks."""

from __future__ import annotations

import json
from types import SimpleNamespace

import mmengine.dist
import pytest
import torch
from mmengine.hooks import Hook, LoggerHook
from mmengine.runner.checkpoint import load_checkpoint
from torch import nn

from mmact_ssl.engine.hooks.gradient_conflict_hook import FILE_NAME
from mmact_ssl.errors import CheckpointError, DataError
from tools import test as test_tool
from tools.test import conflict_metrics, load_all, write_metrics_once


class Runner(SimpleNamespace):
    """mmengine's loading without the rest of a runner."""

    def load_checkpoint(self, path, map_location, strict):
        return load_checkpoint(self.model, path, map_location, strict)


@pytest.mark.parametrize(
    ('saved', 'complaint'),
    [
        (nn.Sequential(nn.Linear(2, 3)), r'1\.weight'),
        (nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2), nn.Linear(2, 2)), r'2\.weight'),
        (nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 2)), 'size mismatch'),
    ],
    ids=['missing', 'left over', 'of another shape'],
)
def test_nothing_is_tested_with_random_weights(tmp_path, saved, complaint):
    path = tmp_path / 'clip_b.pth'
    torch.save(saved.state_dict(), path)
    runner = Runner(model=nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2)))
    with pytest.raises(CheckpointError, match=rf'other\.pth: does not fit .*{complaint}'):
        load_all(runner, str(path))


def test_a_fitting_checkpoint_is_loaded(tmp_path):
    model, saved = nn.Linear(2, 3), nn.Linear(2, 3)
    torch.save(saved.state_dict(), tmp_path / 'own.pth')
    load_all(Runner(model=model), str(tmp_path / 'own.pth'))
    assert torch.equal(model.weight, saved.weight)


def test_the_conflict_of_a_training_goes_with_its_checkpoint(tmp_path):
    checkpoint = str(tmp_path / 'epoch_2.pth')
    assert conflict_metrics(checkpoint) == {}
    record = dict(epoch=1, step=1, norms=dict(a=1.0, b=2.0), cosines={'a~b': -0.25})
    (tmp_path / FILE_NAME).write_text(json.dumps(record) + '\n')
    assert conflict_metrics(checkpoint) == {'conflict/a~b': -0.25, 'conflict/a~b/below_zero': 1.0}


@pytest.mark.parametrize('failing', ['mean_conflict_metrics', 'conflict_metrics'])
def test_half_a_result_is_not_written(tmp_path, monkeypatch, failing):
    made = []

    def fail(*args):
        raise DataError('broken')

    def stand_in(cfg, metrics, *args):
        made.append(metrics)
        return SimpleNamespace(write=lambda folder: folder)

    runner = SimpleNamespace(
        test=lambda: {'pose/error': 0.5}, register_hook=lambda hook: None, cfg={}
    )
    monkeypatch.setattr(test_tool.Runner, 'from_cfg', lambda cfg: runner)
    for name in ('load_all', 'write_metrics_once'):
        monkeypatch.setattr(test_tool, name, lambda *args: None)
    monkeypatch.setattr(test_tool, 'load_config', lambda args: {})
    monkeypatch.setattr(test_tool, 'make_pretext_result', stand_in)
    argv = ['c.py', 'c.pth', '--out', str(tmp_path)]
    test_tool.main(argv)
    monkeypatch.setattr(test_tool, failing, fail)
    with pytest.raises(SystemExit, match='error: broken'):
        test_tool.main(argv)
    assert made == [{'pose/error': 0.5}], 'of the first call alone'


@pytest.mark.parametrize('rank', [0, 1])
def test_one_process_writes_the_metrics(rank, monkeypatch):
    written = []
    monkeypatch.setattr(LoggerHook, 'after_test_epoch', lambda *args: written.append(args[1:]))
    monkeypatch.setattr(mmengine.dist.utils, 'get_rank', lambda group=None: rank)
    runner = SimpleNamespace(hooks=[LoggerHook(), Hook()])
    write_metrics_once(runner)
    for hook in runner.hooks:
        hook.after_test_epoch(runner, {})
    assert len(written) == (rank == 0)
