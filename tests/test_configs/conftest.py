"""Fixtures of the shipped configs: the scope, and a handful of made skeletons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmact_ssl.preparation.skeletons import SkeletonWriter
from mmact_ssl.targets.cache import TargetMeta, TargetWriter
from tests.shipped import load, loaders


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmact_ssl')


@pytest.fixture(scope='session')
def made_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight clips of other lengths; six have sentences, and six wrong ones."""
    folder = tmp_path_factory.mktemp('skeletons')
    generator = np.random.default_rng(0)
    # Two cameras saw each performance.
    names = [f'clip{number // 2}_v{1 + number % 2}' for number in range(8)]
    with SkeletonWriter(folder, 'made', 'kinect20', ['one', 'two'], 1) as writer:
        for number, name in enumerate(names):
            clip = generator.normal(size=(1, 4 + 2 * number, 20, 3)).astype(np.float32)
            writer.add(name, number % 2, clip)
        writer.finish({'train': names})
    for cache, clips in (('prompts', names[:6]), ('prompts_shuffled20', names[2:])):
        with TargetWriter(folder / f'targets/{cache}.lmdb', TargetMeta('text', '', 'f')) as writer:
            for name in clips:
                writer.put(name, generator.normal(size=(3, 384)).astype(np.float32))
    return folder


@pytest.fixture
def on_made_set(made_set: Path) -> Callable[..., Config]:
    """Load a config that reads the made clips."""

    def point(name: str, ann_file: Path | None = None) -> Config:
        config = load(name)
        for loader in loaders(config):
            loader.merge(dict(num_workers=0, persistent_workers=False, batch_size=4))
            loader.dataset.ann_file = str(ann_file or made_set / 'train.txt')
            loader.dataset.data_prefix.skeleton = str(made_set)
        return config

    return point


@pytest.fixture
def train(on_made_set, tmp_path: Path) -> Callable[..., Runner]:
    """Train two epochs on the made clips with a small GRU; changes are options of the config."""

    def run(name: str, ann_file: Path | None = None, **changes) -> Runner:
        config = on_made_set(name, ann_file)
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
