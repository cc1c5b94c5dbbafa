"""Fixtures of the shipped configs: the scope, and short trainings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmact_ssl.engine.config_reading import read_config
from tests.shipped import CONFIGS, loaders


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmact_ssl')


@pytest.fixture
def train(data_of_methods: None, tmp_path: Path) -> Callable[..., Runner]:
    """Train two epochs on made clips with a small GRU; changes are options of the config."""

    def run(name: str, **changes) -> Runner:
        config = read_config(str(CONFIGS / name), dataset='nwucla')
        for loader in loaders(config):
            loader.merge(dict(num_workers=0, persistent_workers=False, batch_size=4))
        options = {
            'work_dir': str(tmp_path),
            'train_cfg.max_epochs': 2,
            'default_hooks.checkpoint.interval': 1,
            'default_hooks.logger.interval': 1,
        }
        config.merge_from_dict({**options, **changes})
        backbone = config.model.backbone
        backbone.get('encoder', backbone).hidden_size = 8
        for head in filter(None, config.model.heads.values()):
            head.in_channels = 96 if 'encoder' in backbone else 16
        runner = Runner.from_cfg(config)
        runner.train()
        return runner

    return run
