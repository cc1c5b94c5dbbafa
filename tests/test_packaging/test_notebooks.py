"""The notebooks run from their first cell to their last, made small."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import pytest

import mmact_ssl_cli

FOLDER = Path(__file__).parents[2] / 'docs/notebooks'
# Settings of the first cells and options of commands, for seconds in place of minutes.
SMALL = {'EPOCHS': 2, 'WARM_UP': 1, 'EVERY': 24}
OPTIONS = {
    'evaluate': ['--cfg-options', 'linear.folds=2', 'linear.penalties=(0.1,)'],
    'extract': ['--workers', '1'],
    'train': [
        *('--cfg-options', 'train_dataloader.num_workers=0'),
        'train_dataloader.dataset.indices=8',
    ],
}
# Images of 32x32 in place of 112x112.
SMALL_IMAGES = {
    'mmact_ssl::dtg_tsm-lite0.py': [
        f'train_dataloader.dataset.pipeline.{n}.transforms.1.scale=(32,32)' for n in (4, 5)
    ]
}


def run_cell(source: str, names: dict) -> None:
    """Run a cell as IPython does, with lines of ``!mmact-ssl`` in this process."""
    if source.startswith('%%writefile '):
        first, _, rest = source.partition('\n')
        Path(first.split()[1]).write_text(rest)
    elif source.startswith('!'):
        for line in source.replace('\\\n', ' ').splitlines():
            words = shlex.split(re.sub(r'\{(\w+)\}', lambda match: str(names[match[1]]), line))
            assert words[0] == '!mmact-ssl'
            options = [*OPTIONS.get(words[1], ()), *SMALL_IMAGES.get(words[2], ())]
            mmact_ssl_cli.main([*words[1:], *options])
    else:
        exec(source, names)
        names.update({key: value for key, value in SMALL.items() if key in names})


@pytest.mark.slow
@pytest.mark.usefixtures('small_teacher_images')
@pytest.mark.parametrize('name', ['your_folder', 'pretext_task'])
def test_a_notebook_runs(name, tmp_path, monkeypatch, capsys):
    notebook = json.loads((FOLDER / f'{name}.ipynb').read_text(encoding='utf-8'))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('MMACT_SSL_DATA', 'data')
    monkeypatch.setenv('MMACT_SSL_FOLDER', '')  # so that what --data sets is undone
    monkeypatch.setenv('PYTHONPATH', '')
    monkeypatch.setattr(sys, 'argv', [])
    monkeypatch.syspath_prepend(tmp_path)
    names: dict = {}
    for cell in notebook['cells']:
        assert not cell.get('outputs'), 'clear the outputs before you commit'
        if cell['cell_type'] == 'code' and 'install' not in cell['metadata'].get('tags', ()):
            run_cell(''.join(cell['source']), names)
    shown = capsys.readouterr().out
    if name == 'your_folder':
        assert '12 test clips' in shown and len(names['hits']) == 5
        assert Path('hits.png').is_file() and Path('gallery/index.html').is_file()
    else:
        assert 'as the slow formula' in shown and 'speed/accuracy' in shown
