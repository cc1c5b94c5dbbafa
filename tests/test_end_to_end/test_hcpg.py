"""HCPG's own pipeline on made videos and part maps, trained, resumed, tested and drawn."""

from __future__ import annotations

import logging
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from mmact_ssl.checkpoint_file import load_checkpoint_safely
from mmact_ssl.registry import DATASETS, MODELS
from mmact_ssl.targets import TargetCacheHook
from mmact_ssl.targets.cache import TargetCacheError, TargetReader, TargetWriter
from tools import train as training
from tools import visualize


def test_the_pipeline_gives_what_the_heads_read(hcpg_config: Config):
    init_default_scope('mmact_ssl')
    dataset = DATASETS.build(hcpg_config.train_dataloader.dataset)
    np.random.seed(0)
    batch = pseudo_collate([dataset[index] for index in range(len(dataset))])
    model = MODELS.build(hcpg_config.model)
    for follower, source in model.momentum_pairs():
        follower.start(source)
    data = model.data_preprocessor(batch, training=True)
    targets = data['targets']
    assert targets['clip']['parts'].shape == (6, 8, 11, 16, 16)
    assert len(targets['sample']['video'].unique()) == 6
    assert (targets['clip']['speed'] != targets['clip_b']['speed']).all()
    # Of nine frames eight fit at the first speed only.
    for view in ('clip', 'clip_b'):
        assert targets[view]['valid'][1].all() == (targets[view]['speed'][1] == 1)
    assert not targets['clip']['parts'][2, :, 1:].any() and targets['clip']['parts'][0, :, 1:].any()
    losses = model(**data, mode='loss')
    expected = targets['clip']['valid'].float()
    expected[2] = 0
    torch.testing.assert_close(losses['parsing/valid_fraction'], expected.mean())
    assert losses['loss'].isfinite()
    assert model.heads['motion'].queue.filled.all()


def test_part_maps_of_unseen_clips_are_drawn_and_judged(hcpg_config: Config, tmp_path, capsys):
    init_default_scope('mmact_ssl')
    hcpg_config.dump(tmp_path / 'config.py')
    model = MODELS.build(hcpg_config.model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'epoch.pth')
    arguments = [str(tmp_path / 'config.py'), str(tmp_path / 'epoch.pth'), '--num-clips', '3']
    visualize.main([*arguments, '--out', str(tmp_path / 'pictures')])
    said, path = capsys.readouterr().out.splitlines()[-2:]
    assert re.match(r'mean IoU of 3 clips: with the teacher 0\.\d\d, mirrored 0\.\d\d; with', said)
    assert path == str(tmp_path / 'pictures' / 'parts.png')
    picture = cv2.imread(path)
    # Two rows a clip, four columns.
    assert picture.shape[0] > picture.shape[1] > 300 and picture.std() > 10


def train(config: Config, work_dir: Path, *arguments: str) -> dict:
    """The training program in a work dir; the checkpoint that it ends with."""
    file = work_dir.with_suffix('.py')
    config.dump(file)
    options = ['--cfg-options', f'experiment_name={work_dir.name}']
    training.main([str(file), '--work-dir', str(work_dir), *arguments, *options])
    return load_checkpoint_safely(work_dir / 'epoch_2.pth')


@pytest.mark.slow
def test_a_resumed_run_has_the_same_state_and_accepts_no_other_parser(
    hcpg_config, tmp_path, on_cpu
):
    whole = train(hcpg_config, tmp_path / 'whole')
    half = str(tmp_path / 'whole' / 'epoch_1.pth')
    resumed = train(hcpg_config, tmp_path / 'resumed', '--resume', half)
    assert resumed['meta']['iter'] == whole['meta']['iter'] == 6
    state = resumed['state_dict']
    assert {name.split('.')[0] for name in state} >= {'backbone', 'momentum_encoder', 'heads'}
    for name, value in whole['state_dict'].items():
        assert torch.equal(value, state[name]), name
    # The queue holds the five latest of the last epoch's six videos, each once.
    queue = state['heads.appearance.queue.labels'][:, 0]
    assert len(queue.unique()) == 5

    assert resumed['meta']['target_caches'] == whole['meta']['target_caches']
    made_by_another_parser(tmp_path / 'jhmdb' / 'targets' / 'pose_parts.lmdb')
    hook = TargetCacheHook()
    runner = SimpleNamespace(cfg=hcpg_config, logger=logging.getLogger(), _resume=True)
    hook.after_load_checkpoint(runner, whole)
    for stage in (hook.before_train, hook.before_test):
        with pytest.raises(TargetCacheError, match="'parts' is of another parser .* under tests"):
            stage(runner)


def made_by_another_parser(path: Path) -> None:
    """Make a cache anew in its place, as another teacher would have made it."""
    reader = TargetReader(path)
    names = reader.keys()
    maps = {name: reader.get(name) for name in names}
    shutil.rmtree(path)
    meta = replace(reader.meta, fingerprint='of another', source='another parser')
    with TargetWriter(path, meta) as writer:
        for name, values in maps.items():
            writer.put(name, values)
