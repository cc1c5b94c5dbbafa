"""The command line of tools/prepare_data.py."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from mmact_ssl.demo_world.write import write_video

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


SOURCED = ['jhmdb', 'utdmhad', 'videos', 'nwucla', 'ntu60', 'ntu120', 'pkummd1', 'pkummd2']


@pytest.mark.parametrize('name', SOURCED)
def test_a_missing_source_is_one_line_with_the_fix(tool, tmp_path, name):
    with pytest.raises(SystemExit) as stop:
        tool.main([name, '--source', str(tmp_path / 'nowhere')])
    message = str(stop.value)
    assert f'{tmp_path / "nowhere"}: no such folder; point --source at' in message
    assert '\n' not in message
    with pytest.raises(SystemExit, match=f'{name}: no --source; give the folder'):
        tool.main([name])


def test_every_set_has_its_function(tool):
    for module, function in tool.PREPARATIONS.values():
        module = importlib.import_module(f'mmact_ssl.preparation.{module}')
        assert callable(getattr(module, function))


def test_own_skeletons_from_the_command_line(tool, tmp_path, capsys):
    np.savez(
        tmp_path / 'mine.npz',
        names=np.array(['a', 'b']),
        labels=np.array([0, 1]),
        lengths=np.array([2, 3]),
        keypoints=np.ones((5, 17, 2), np.float32),
        subjects=np.array([1, 2]),
    )
    options = ['--out', str(tmp_path / 'out'), '--layout', 'coco17', '--unit', 'pixels']
    source = ['--source', str(tmp_path / 'mine.npz')]
    tool.main(['custom', *source, *options, '--train-subjects', '2'])
    assert '2 clips, 1 xsub train, 1 xsub test, 0 left out' in capsys.readouterr().out
    assert (tmp_path / 'out' / 'xsub_train.txt').read_text() == 'b 1\n'
    with pytest.raises(SystemExit, match='have 2; leave it out'):
        tool.main(['custom', *source, *options, '--left-handed'])
    with pytest.raises(SystemExit, match=r'mine\.npz: not a whole pickle'):
        tool.main(['pose-pickle', *source, *options[:4], '--persons', '1'])


def test_default_folders_follow_the_environment(tool, tmp_path, monkeypatch):
    monkeypatch.setenv('MMACT_SSL_DATA', str(tmp_path))
    assert tool.parse_args(['demo']).out == tmp_path / 'demo'
    assert tool.parse_args(['jhmdb']).out == tmp_path / 'jhmdb'
