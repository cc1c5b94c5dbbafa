"""Mistakes in a config and the one line that answers each."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.optim import OptimWrapper

from tests.shipped import CONFIGS
from tools.train import main

# Config, --cfg-options, answer.
ROWS = [
    (
        'ms2l_gru',
        'model.heads.moton=None',
        'model.heads.moton=None switches nothing off: did you mean motion?',
    ),
    (
        'ms2l_gru',
        'optim_wraper.optimizer.lr=1',
        'optim_wraper.optimizer.lr: did you mean optim_wrapper?',
    ),
    ('ms2l_gru', 'max_epochs=1', 'max_epochs: did you mean train_cfg.max_epochs?'),
    (
        'ms2l-twoview_gru',
        'vis_backends.0.type=TensorboardVisBackend',
        'read only while it loads: did you mean visualizer.vis_backends?',
    ),
    (
        'ms2l_gru',
        'param_scheduler.0.milestone=[30]',
        'did you mean param_scheduler.0.milestones?',
    ),
    (
        'ms2l_gru',
        'train_cfg.max_epoch=5',
        "EpochBasedTrainLoop.__init__() got an unexpected keyword argument 'max_epoch'",
    ),
    (
        'ms2l_gru',
        'train_dataloader.batchsize=64',
        'did you mean train_dataloader.batch_size?',
    ),
    (
        'ms2l_gru',
        'default_hooks.checkpoint.intervall=5',
        'did you mean default_hooks.checkpoint.interval?',
    ),
    (
        'ms2l_gru',
        'model.encode=[clip,maskd,shuffled]',
        "model.encode names the view 'maskd', but the pipeline makes ['clip', 'masked'",
    ),
    (
        'ms2l_gru',
        'model.backbone.hidden_sise=300',
        "SkeletonGRU.__init__() got an unexpected keyword argument 'hidden_sise'",
    ),
    (
        'ms2l_gru',
        'model.heads.motion.type=MotionPredictonHead',
        'MotionPredictonHead is not in the mmact_ssl::model registry',
    ),
    (
        'ms2l_gru',
        'model.heads.motion.in_channels=64',
        'model.heads.motion does not fit its inputs or targets: RuntimeError',
    ),
    (
        'ms2l_gru',
        'model.data_preprocessor.targets=[]',
        "the head 'jigsaw' reads 'targets.shuffled.permutation'",
    ),
    (
        'c2vl_gru',
        'model.heads.prompts.momentum=0.9',
        'model.heads.prompts.momentum=0.9 differs from model.momentum_encoder.momentum=0.99',
    ),
    (
        'c2vl_gru',
        'default_hooks.momentum=None',
        "model.momentum_encoder would never move: add momentum=dict(type='MomentumCopyHook')",
    ),
    (
        'csvr_r3d_demo',
        'model.heads.pose=None model.heads.current=None model.heads.future=None',
        'model.heads: its tasks read clip.static of the student, and none trains the last map',
    ),
    ('csvr_r3d_demo', 'model.backbone.depth=19', 'invalid depth 19 for resnet'),
]


@pytest.fixture(scope='module')
def data(made_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('data')
    (root / 'nwucla').mkdir()
    for file in made_set.iterdir():
        (root / 'nwucla' / file.name).symlink_to(file)
    for split in ('train', 'test'):
        (root / 'nwucla' / f'xview_{split}.txt').symlink_to(made_set / 'train.txt')
    return root


@pytest.mark.parametrize(('config', 'option', 'answer'), ROWS, ids=[row[1] for row in ROWS])
def test_a_mistake_is_one_line_before_the_first_step(
    config, option, answer, data, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv('MMACT_SSL_DATA', str(data))
    monkeypatch.setattr(OptimWrapper, 'step', lambda *_, **__: pytest.fail('a step was made'))
    with pytest.raises(SystemExit) as end:
        main(
            [
                str(CONFIGS / f'{config}.py'),
                *(['--set', 'nwucla'] if '_gru' in config else []),
                f'--work-dir={tmp_path}',
                '--cfg-options',
                *option.split(),
                'train_dataloader.num_workers=0',
            ]
        )
    assert end.value.code == 2
    last = capsys.readouterr().err.rstrip('\n').splitlines()[-1]
    assert last.startswith('error: ') and answer.strip() in last
