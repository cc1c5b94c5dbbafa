"""Mistakes in a config and the one line that answers each."""

from __future__ import annotations

import pytest
from mmengine.optim import OptimWrapper

from tests.shipped import CONFIGS
from tools.train import main

# --cfg-options and the answer, by config.
MISTAKES = {
    'ms2l_gru': [
        (
            'model.heads.moton=None',
            'model.heads.moton=None switches nothing off: did you mean motion?',
        ),
        ('param_scheduler.0.milestone=[30]', 'did you mean param_scheduler.0.milestones?'),
        (
            'train_cfg.max_epoch=5',
            "EpochBasedTrainLoop.__init__() got an unexpected keyword argument 'max_epoch'",
        ),
        (
            'model.heads.motion.type=MotionPredictonHead',
            'MotionPredictonHead is not in the mmact_ssl::model registry',
        ),
        (
            'model.heads.motion.in_channels=64',
            'model.heads.motion does not fit its inputs or targets: RuntimeError',
        ),
        (
            'model.data_preprocessor.targets=[]',
            "the head 'jigsaw' reads 'targets.shuffled.permutation'",
        ),
    ],
    'c2vl_gru': [
        (
            'default_hooks.momentum=None',
            "model.momentum_encoder would never move: add momentum=dict(type='MomentumCopyHook')",
        )
    ],
    'csvr_r3d_demo': [
        (
            'model.heads.pose=None model.heads.current=None model.heads.future=None',
            'model.heads: its tasks read clip.static of the student, and none trains the last map',
        )
    ],
}
ROWS = [(config, *row) for config, rows in MISTAKES.items() for row in rows]


@pytest.mark.usefixtures('data_of_methods')
@pytest.mark.parametrize(('config', 'option', 'answer'), ROWS, ids=[row[1] for row in ROWS])
def test_a_mistake_is_one_line_before_the_first_step(
    config, option, answer, tmp_path, monkeypatch, capsys
):
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
