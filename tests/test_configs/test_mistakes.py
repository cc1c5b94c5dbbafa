"""Every line of the table in docs/extend/mistakes.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mmengine.optim import OptimWrapper

from tests.shipped import CONFIGS, ROOT
from tools.train import main

PAGE = (ROOT / 'docs/extend/mistakes.md').read_text(encoding='utf-8')
ROWS = re.findall(r'^\| `(\S+)` \| `(.+)` \| `+(.+?)`+ \|$', PAGE, re.MULTILINE)


@pytest.fixture(scope='module')
def data(made_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('data')
    (root / 'nwucla').mkdir()
    for file in made_set.iterdir():
        (root / 'nwucla' / file.name).symlink_to(file)
    for split in ('train', 'test'):
        (root / 'nwucla' / f'xview_{split}.txt').symlink_to(made_set / 'train.txt')
    return root


def test_the_table_is_read():
    assert len(ROWS) >= 30
    assert len(ROWS) == sum(line.startswith('| `') for line in PAGE.splitlines())


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
                f'--work-dir={tmp_path}',
                '--cfg-options',
                *option.split(),
                'train_dataloader.num_workers=0',
            ]
        )
    assert end.value.code == 2
    last = capsys.readouterr().err.rstrip('\n').splitlines()[-1]
    assert last.startswith('error: ') and answer.strip() in last


def test_a_child_config_switches_off_only_what_is_there(tmp_path):
    from mmact_ssl.engine.launch import read_config
    from mmact_ssl.errors import ConfigError

    child = tmp_path / 'child.py'
    text = (
        f'_base_ = {str(CONFIGS / "ms2l_gru_nwucla.py")!r}\nmodel = dict(heads=dict(NAME=None))\n'
    )
    child.write_text(text.replace('NAME', 'motion'))
    assert read_config(str(child)).model.heads.motion is None
    child.write_text(text.replace('NAME', 'moton'))
    with pytest.raises(ConfigError, match='model.heads.moton=None switches nothing off'):
        read_config(str(child))


def test_a_config_of_mmaction2_is_understood_by_its_own_scope():
    from mmengine.config import Config

    from mmact_ssl.engine.config_check import check_config
    from mmact_ssl.errors import ConfigError

    stock = dict(
        default_scope='mmaction',
        model=dict(type='Recognizer3D', backbone=dict(type='ResNet3d', depth=18)),
        visualizer=dict(type='ActionVisualizer', vis_backends=[dict(type='LocalVisBackend')]),
    )
    check_config(Config(stock))
    stock['model']['tset_cfg'] = dict()
    with pytest.raises(ConfigError, match='tset_cfg: .* did you mean test_cfg'):
        check_config(Config(stock))
