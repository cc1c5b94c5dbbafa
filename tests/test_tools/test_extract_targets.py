"""The command line of tools/extract_targets.py."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from mmact_ssl.targets.cache import TargetReader
from tools.extract_targets import main


@pytest.fixture
def data(tmp_path, make_video, gray_teachers):
    """Two videos with an annotation, and configs of teachers of all kinds."""
    for i in range(2):
        make_video(tmp_path / f'{i}.mp4', num_frames=6 + i, width=64, height=48)
    (tmp_path / 'train.txt').write_text('0.mp4 0\n')
    (tmp_path / 'test.txt').write_text('1.mp4 1\n')
    return tmp_path


def config(data, kind):
    return str(data / f'gray_{kind}.py')


def test_a_broken_video_is_named(data, capsys):
    (data / '1.mp4').write_bytes(b'no video')
    main([config(data, 'pose'), '--data', str(data)])
    out = capsys.readouterr().out
    assert '1 videos written, 0 were there, 1 broken' in out
    assert re.search(r'warning: 1\.mp4: .*; all without targets: .*pose\.lmdb\.broken\.txt', out)


def test_several_teachers_fill_a_cache_each(data, capsys):
    configs = [config(data, kind) for kind in ('pose', 'map', 'embedding')]
    options = ['--data', str(data), '--every', '2']
    main([*configs, *options])
    out = capsys.readouterr().out
    assert '2 videos written, 0 were there, 0 broken; 13 frames' in out
    assert 'warning' not in out
    for name, kind in (('pose', 'pose'), ('gray_map', 'map'), ('gray_embedding', 'embedding')):
        reader = TargetReader(data / 'targets' / f'{name}.lmdb')
        assert (reader.meta.kind, reader.meta.every) == (kind, 2)
        assert [reader.shape(key)[0] for key in ('0.mp4', '1.mp4')] == [6, 7]
    main(['extract', *configs, *options])
    assert '0 videos written, 2 were there' in capsys.readouterr().out
    with pytest.raises(SystemExit, match='stale: its every is 2, wanted 1'):
        main([configs[0], '--data', str(data)])
    with pytest.raises(SystemExit):
        main([configs[0], '--data', str(data), '--every', '0'])
    assert '--every: give 1 or more' in capsys.readouterr().err


def test_sentences(data, capsys):
    (data / 's.json').write_text(json.dumps({'0.mp4': ['one', 'three'], 'clap': ['x']}))
    main([config(data, 'text'), '--sentences', str(data / 's.json'), '--data', str(data)])
    assert '2 keys written, 0 were there' in capsys.readouterr().out
    reader = TargetReader(data / 'targets' / 'gray_text.lmdb')
    np.testing.assert_array_equal(reader.get('0.mp4'), [[3], [5]])
    more = {'0.mp4': ['two', 'four'], 'clap': ['x'], 'sit': ['y'], 'wave': ['z']}
    (data / 's.json').write_text(json.dumps(more))
    main([config(data, 'text'), '--sentences', str(data / 's.json'), '--data', str(data)])
    out = capsys.readouterr().out
    assert '3 keys written (1 had changed), 1 were there, 0 broken' in out
    np.testing.assert_array_equal(reader.get('0.mp4'), [[3], [4]])


@pytest.mark.parametrize(
    ('kinds', 'options', 'message'),
    [
        (['pose'], [], 'give videos and a cache'),
        (['text'], ['--data', '{data}'], 'reads sentences: give --sentences'),
        (['pose'], ['--data', '{data}', '--sentences', '{data}/s.json'], 'reads no sentences'),
        (['text', 'text'], ['--data', '{data}', '--sentences', '{data}/s.json'], 'one config'),
    ],
)
def test_wrong_uses_end_in_one_line(data, kinds, options, message):
    (data / 's.json').write_text('{"a": ["b"]}')
    command = [config(data, kind) for kind in kinds] + [part.format(data=data) for part in options]
    with pytest.raises(SystemExit, match=f'^error: .*{message}'):
        main(command)
