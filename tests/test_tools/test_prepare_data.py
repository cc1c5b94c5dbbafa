# SPDX-License-Identifier: Apache-2.0
"""The command line of tools/prepare_data.py."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from mmact_ssl.datasets.demo_world.write import write_video

TOOL = Path(__file__).parents[2] / 'tools' / 'prepare_data.py'


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('prepare_data', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_videos_from_the_command_line(tool, tmp_path, capsys):
    frames = np.zeros((3, 32, 32, 3), np.uint8)
    (tmp_path / 'in' / 'a').mkdir(parents=True)
    write_video(tmp_path / 'in' / 'a' / 'x.mp4', frames)
    tool.main(
        [
            'videos',
            '--source',
            str(tmp_path / 'in'),
            '--out',
            str(tmp_path / 'out'),
            '--labels-from-folders',
        ]
    )
    assert '1 train, 0 test, 0 left out' in capsys.readouterr().out
    assert (tmp_path / 'out' / 'train.txt').read_text() == 'videos/a/x.mp4 0\n'


@pytest.mark.parametrize('name', ['jhmdb', 'utdmhad', 'videos'])
def test_a_missing_source_is_one_line_with_the_mend(tool, tmp_path, name):
    with pytest.raises(SystemExit) as stop:
        tool.main([name, '--source', str(tmp_path / 'nowhere')])
    message = str(stop.value)
    assert f'{tmp_path / "nowhere"}: no such folder; point --source at' in message
    assert '\n' not in message
    with pytest.raises(SystemExit, match=f'{name}: no --source; give the folder'):
        tool.main([name])


def test_default_folders_follow_the_environment(tool, tmp_path, monkeypatch):
    monkeypatch.setenv('MMACT_SSL_DATA', str(tmp_path))
    assert tool.parse_args(['demo']).out == tmp_path / 'demo'
    assert tool.parse_args(['jhmdb']).out == tmp_path / 'jhmdb'
