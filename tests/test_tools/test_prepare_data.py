"""The command line of tools/prepare_data.py."""

from __future__ import annotations

import numpy as np
import pytest

import mmact_ssl.preparation
from tools import prepare_data as tool
from tools.demo_world.write import write_video

SOURCED = ['jhmdb', 'utdmhad', 'videos', 'nwucla', 'ntu60', 'ntu120', 'pkummd1', 'pkummd2']


@pytest.mark.parametrize('name', SOURCED)
def test_a_missing_source_is_one_line_with_the_fix(tmp_path, monkeypatch, capsys, name):
    monkeypatch.setenv('MMACT_SSL_DATA', str(tmp_path / 'data'))
    with pytest.raises(SystemExit) as stop:
        tool.main([name, '--source', str(tmp_path / 'nowhere')])
    message = str(stop.value)
    assert f'{tmp_path / "nowhere"}: no such folder; point --source at' in message
    assert '\n' not in message
    with pytest.raises(SystemExit):
        tool.main([name])
    assert '--source' in capsys.readouterr().err
    assert not (tmp_path / 'data').exists(), 'a folder in spite of the error'


def test_the_demo_world_is_made_in_a_checkout_only(tmp_path, monkeypatch, capsys):
    out = ['--size', 'tiny', '--out', str(tmp_path / 'demo')]
    tool.main(['demo', *out])
    assert f'{tmp_path / "demo"}: 24 train, 12 test' in capsys.readouterr().out
    monkeypatch.setattr(tool, 'DEMO_WORLD', tmp_path / 'demo_world')
    with pytest.raises(SystemExit, match='^demo: needs a checkout of the repository'):
        tool.main(['demo', *out])


def test_an_out_that_cannot_be_written_is_not_blamed_on_the_source(tmp_path, capsys):
    source, out = tmp_path / 'in', tmp_path / 'a file' / 'out'
    source.mkdir()
    write_video(source / 'x.mp4', np.zeros((3, 32, 32, 3), np.uint8))
    out.parent.touch()
    with pytest.raises(SystemExit):
        tool.main(['videos', '--source', str(source), '--out', str(out)])
    message = capsys.readouterr().err.splitlines()[-1]
    assert f'{out.parent} is a file, not a folder' in message and str(source) not in message


def test_own_skeletons_from_the_command_line(tmp_path, capsys):
    np.savez(
        tmp_path / 'mine.npz',
        names=np.array(['a', 'b']),
        labels=np.array([0, 1]),
        lengths=np.array([2, 3]),
        keypoints=np.ones((5, 17, 2), np.float32),
        subjects=np.array([1, 2]),
    )
    options = ['--out', str(tmp_path / 'out'), '--layout', 'coco17', '--coordinates', 'xy']
    source = ['--source', str(tmp_path / 'mine.npz')]
    tool.main(['custom', *source, *options, '--train-subjects', '2'])
    assert '2 clips, 1 xsub train, 1 xsub test, 0 left out' in capsys.readouterr().out
    assert (tmp_path / 'out' / 'xsub_train.txt').read_text() == 'b 1\n'
    with pytest.raises(SystemExit, match='needs key points in 3D'):
        tool.main(['custom', *source, *options, '--left-handed'])
    with pytest.raises(SystemExit, match=r'mine\.npz: not a whole pickle'):  # takes its option
        tool.main(['pose-pickle', *source, *options[:4], '--persons', '1'])


def test_default_folder_and_name_of_a_set(tmp_path, monkeypatch):
    from mmact_ssl.preparation import ntu

    given = {}

    def prepare(source, out, name='ntu60', missing=None):
        given.update(name=name, out=out)
        return {}

    monkeypatch.setattr(ntu, 'prepare', prepare)
    monkeypatch.setenv('MMACT_SSL_DATA', str(tmp_path))
    for name in ('ntu60', 'ntu120'):
        tool.main([name, '--source', 'x'])
        assert given == {'name': name, 'out': tmp_path / name}


def test_a_new_set_is_one_file(tmp_path, monkeypatch, capsys):
    (tmp_path / 'my_set.py').write_text(
        "SETS = {'my-set': 'three clips'}\n\n\n"
        "def prepare(source, out, seed=3):\n    return {'clips': seed, 'left_out': 0}\n"
    )
    monkeypatch.setattr(tool, 'preparation_folder', lambda: tmp_path)
    monkeypatch.setattr(mmact_ssl.preparation, '__path__', [str(tmp_path)])
    with pytest.raises(SystemExit):
        tool.main(['--help'])
    assert 'my-set       three clips' in capsys.readouterr().out
    tool.main(['my-set', '--source', 'x', '--out', 'y'])
    assert capsys.readouterr().out == 'y: 3 clips, 0 left out\n'
