"""A user's own pretext task: one head file with its own loss, one config, nothing else touched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner

import mmact_ssl  # noqa: F401  the fixes
from mmact_ssl.preparation.skeletons import SkeletonWriter

CONFIGS = Path(__file__).parents[2] / 'configs'
HEAD = '''
import torch
from torch import nn

from mmact_ssl.models.heads import PretextHead, Term
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class LogCoshLoss(nn.Module):
    """Logarithm of the hyperbolic cosine of the error, ``[B]``."""

    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = scale

    def forward(self, prediction, target):
        return torch.log(torch.cosh((prediction - target) / self.scale))


@MODELS.register_module()
class EnergyHead(PretextHead):
    """Predict how much a clip moves from its pooled feature."""

    inputs = dict(pooled='clip.pooled', clip='clip', valid='targets.clip.valid')

    def __init__(self, in_channels, loss=dict(type='LogCoshLoss'), inputs=None):
        super().__init__(inputs, loss)
        self.regress = nn.Linear(in_channels, 1)

    def terms(self, pooled, clip, valid):
        steps = (clip.diff(dim=2).norm(dim=4).mean(3) * valid[:, :, 1:]).sum((1, 2))
        energy = steps / valid[:, :, 1:].sum((1, 2)).clamp(min=1)
        prediction = self.regress(pooled)[:, 0]
        error = (prediction - energy).abs()
        return dict(loss=Term(self.loss_module(prediction, energy)), error=Term(error))
'''
CONFIG = """
_base_ = '{configs}/ms2l_gru_nwucla.py'
custom_imports = dict(imports=['mmact_ssl', 'energy'])
model = dict(
    backbone=dict(hidden_size=8),
    encode=('clip',),
    heads=dict(
        motion=None,
        jigsaw=None,
        contrast=None,
        energy=dict(type='EnergyHead', in_channels=16, loss=dict(type='LogCoshLoss', scale=0.5)),
    ),
)
train_dataloader = dict(batch_size=4, num_workers=0, persistent_workers=False)
train_cfg = dict(max_epochs=6)
optim_wrapper = dict(optimizer=dict(lr=1e-2))
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The user's two files, and clips of which the odd ones move more, where the config looks."""
    folder = tmp_path / 'data' / 'nwucla'
    folder.mkdir(parents=True)
    names = [f'a01_s0{number}_e01_v01' for number in range(8)]
    generator = np.random.default_rng(0)
    with SkeletonWriter(folder, 'nwucla', 'kinect20', ['one', 'two'], 1) as writer:
        for number, name in enumerate(names):
            clip = generator.normal(size=(1, 8 + number, 20, 3)).astype(np.float32)
            writer.add(name, number % 2, clip * (1 + 2 * (number % 2)))
        writer.finish({'xview_train': names, 'xview_test': names})
    (tmp_path / 'energy.py').write_text(HEAD)
    file = tmp_path / 'energy_gru_nwucla.py'
    file.write_text(CONFIG.format(configs=CONFIGS))
    monkeypatch.setenv('MMACT_SSL_DATA', str(tmp_path / 'data'))
    monkeypatch.syspath_prepend(str(tmp_path))
    config = Config.fromfile(file)
    config.work_dir = str(tmp_path / 'work')
    return config


def test_it_trains_and_its_loss_falls(config):
    runner = Runner.from_cfg(config)
    runner.train()
    assert type(runner.model.heads['energy'].loss_module).__name__ == 'LogCoshLoss'
    losses = runner.message_hub.get_scalar('train/energy/loss').data[0]
    assert len(losses) == 12
    assert losses[-2:].mean() < 0.7 * losses[:2].mean()
    table = (Path(config.work_dir) / runner.timestamp / f'{runner.timestamp}.log').read_text()
    assert 'targets.clip.valid' in table, 'the inputs of the task are in the log'
