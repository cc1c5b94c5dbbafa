"""``--amp`` without a GPU: skeletons train in bfloat16 by the losses of single precision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.logging import MessageHub

from mmact_ssl.engine.launch import enable_mixed_precision, read_config
from mmact_ssl.engine.runner import PretrainRunner
from mmact_ssl.errors import ConfigError
from tests.five_methods import METHODS, make_data, options_of


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('data')
    make_data(root)
    return root


def first_losses(method: str, work_dir: Path, amp: bool) -> dict[str, float]:
    """Train for one epoch; what the first step logged."""
    cfg = read_config(METHODS[method][0], options_of(method))
    cfg.work_dir = str(work_dir / str(amp))
    cfg.experiment_name = f'{method}_{amp}_{work_dir.name}'
    cfg.randomness = dict(seed=0)
    if method == 'ms2l':
        cfg.train_cfg.max_iters = 3
    else:
        cfg.train_cfg.max_epochs = 1
    if amp:
        enable_mixed_precision(cfg)
    runner = PretrainRunner.from_cfg(cfg)
    runner.train()
    weights = runner.model.state_dict()
    assert all(value.isfinite().all() for value in weights.values() if value.is_floating_point())
    assert {v.dtype for v in runner.model.parameters()} == {torch.float32}
    scalars = MessageHub.get_current_instance().log_scalars
    return {name: float(scalars[name].data[0][0]) for name in scalars if '/loss' in name}


@pytest.mark.parametrize('method', ['ms2l', 'c2vl'])
def test_the_first_step_has_the_losses_of_single_precision(
    method: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv('MMACT_SSL_DATA', str(data))
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    plain, rounded = (first_losses(method, tmp_path, amp) for amp in (False, True))
    assert plain and plain.keys() == rounded.keys()
    # Sums of products of numbers of eight bits.
    assert rounded == pytest.approx(plain, rel=0.05)
    assert rounded != plain, 'nothing was computed in bfloat16'


@pytest.mark.parametrize('method', ['csvr', 'dtg', 'hcpg'])
def test_a_3d_network_is_refused_whose_gradient_would_be_wrong(
    method: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv('MMACT_SSL_DATA', str(data))
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(ConfigError, match=r'backbone\.\S+ convolves over time.*without --amp'):
        first_losses(method, tmp_path, amp=True)
