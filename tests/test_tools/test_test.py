"""The testing program: strict loading, and one log of the metrics."""

from __future__ import annotations

import mmengine.dist
import mmengine.runner
import pytest
from mmengine.hooks import Hook, LoggerHook

from mmact_ssl.engine.runner import PretrainRunner
from mmact_ssl.errors import ConfigError
from tools import test as test_tool
from tools.test import make_parser


def test_what_is_missing_is_named(tmp_path):
    path, weights = tmp_path / 'c.py', tmp_path / 'c.pth'
    text = "test_evaluator = dict(type='PretextMetric')\n"
    path.write_text(f'{text}test_dataloader = dict()\n')
    weights.touch()

    args = make_parser().parse_args([str(path), str(weights)])
    weights.unlink()
    with pytest.raises(SystemExit, match=r'error: .*c\.pth is missing: check the path'):
        test_tool.main([str(path), str(weights)])
    path.write_text(text)
    with pytest.raises(ConfigError, match=r'c\.py: has no test_dataloader'):
        test_tool.test(args)


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
