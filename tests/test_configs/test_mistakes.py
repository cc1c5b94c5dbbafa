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
    assert len(ROWS) >= 15
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
