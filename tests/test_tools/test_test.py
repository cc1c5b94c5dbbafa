"""The testing program: strict loading, and results of the pretext tasks."""

from __future__ import annotations

from types import SimpleNamespace

import mmengine.dist
import mmengine.runner
import pytest
import torch
from mmengine.hooks import Hook, LoggerHook
from torch import nn

from mmact_ssl import weights as weights_module
from mmact_ssl.engine.runner import PretrainRunner
from mmact_ssl.errors import CheckpointError, ConfigError, DataError
from mmact_ssl.evaluation import pretext_result
from mmact_ssl.weights import load_trained, read_trained
from tools import test as test_tool
from tools.test import load_config, parse_args


@pytest.mark.parametrize(
    ('saved', 'complaint'),
    [
        (nn.Sequential(nn.Linear(2, 3)), r'1\.weight'),
        (nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2), nn.Linear(2, 2)), r'2\.weight'),
        (nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 2)), r'0\.weight \[4, 2\]≠\[3, 2\]'),
    ],
    ids=['missing', 'left over', 'of another shape'],
)
def test_nothing_is_tested_with_random_weights(tmp_path, saved, complaint):
    path = tmp_path / 'other.pth'
    torch.save(saved.state_dict(), path)
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    with pytest.raises(CheckpointError, match=rf'other\.pth: . weights do not fit .*{complaint}'):
        load_trained(model, *read_trained(str(path)))


def test_a_fitting_checkpoint_is_loaded(tmp_path):
    model, saved = nn.Linear(2, 3), nn.Linear(2, 3)
    torch.save(saved.state_dict(), tmp_path / 'own.pth')
    load_trained(model, *read_trained(str(tmp_path / 'own.pth')))
    assert torch.equal(model.weight, saved.weight)


def test_half_a_result_is_not_written(tmp_path, monkeypatch):
    made = []

    def fail(*args):
        raise DataError('broken')

    def stand_in(cfg, metrics, *args):
        made.append(metrics)
        return SimpleNamespace(write=lambda folder: folder)

    runner = SimpleNamespace(
        test=lambda: {'pose/error': 0.5}, cfg={}, model=None, call_hook=lambda *_, **__: None
    )
    monkeypatch.setattr(PretrainRunner, 'from_cfg', lambda cfg: runner)
    monkeypatch.setattr(weights_module, 'load_trained', lambda *args: None)
    monkeypatch.setattr(weights_module, 'read_trained', lambda path: (path, {}))
    monkeypatch.setattr(test_tool, 'load_config', lambda args: {})
    monkeypatch.setattr(pretext_result, 'make_pretext_result', stand_in)
    argv = ['c.py', 'c.pth', '--out', str(tmp_path)]
    test_tool.main(argv)
    with pytest.raises(SystemExit, match='error: broken'):
        test_tool.main(argv, fail)
    test_tool.main(argv, lambda *run: {'more': 1.0})
    assert made == [{'pose/error': 0.5}, {'pose/error': 0.5, 'more': 1.0}]


def test_options_reach_the_config(tmp_path):
    path, weights = tmp_path / 'c.py', tmp_path / 'c.pth'
    text = "test_evaluator = dict(type='PretextMetric')\n"
    path.write_text(f'{text}test_dataloader = dict()\n')
    weights.touch()

    def load(*options):
        return load_config(parse_args([str(path), str(weights), *options]))

    cfg = load('--any-teacher', '--dump', 'x.pkl')
    assert cfg.default_hooks.target_caches == dict(type='TargetCacheHook', any_teacher=True)
    assert [part.type for part in cfg.test_evaluator] == ['PretextMetric', 'mmengine.DumpResults']
    assert 'default_hooks' not in load()
    with pytest.raises(ConfigError, match=r'--dump x\.json: the file must end in \.pkl'):
        load('--dump', 'x.json')
    weights.unlink()
    with pytest.raises(SystemExit, match=r'error: .*c\.pth is missing: check the path'):
        test_tool.main([str(path), str(weights)])
    path.write_text(text)
    with pytest.raises(ConfigError, match=r'c\.py: has no test_dataloader'):
        load()


@pytest.mark.parametrize('rank', [0, 1])
def test_one_process_writes_the_metrics(rank, monkeypatch):
    written = []
    monkeypatch.setattr(LoggerHook, 'after_test_epoch', lambda *args: written.append(args[1:]))
    monkeypatch.setattr(mmengine.dist.utils, 'get_rank', lambda group=None: rank)
    monkeypatch.setattr(
        mmengine.runner.Runner,
        'test',
        lambda self: [hook.after_test_epoch(self, {}) for hook in self.hooks],
    )
    runner = PretrainRunner.__new__(PretrainRunner)
    runner._hooks = [LoggerHook(), Hook()]
    runner.test()
    assert len(written) == (rank == 0)
