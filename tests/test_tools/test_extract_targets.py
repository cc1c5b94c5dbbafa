"""The command line of tools/extract_targets.py."""

from __future__ import annotations

import json
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from mmact_ssl.targets.cache import TargetReader
from mmact_ssl.targets.meta import STORAGE

ROOT = Path(__file__).parents[2]
MODULE = """
import torch
from mmact_ssl.models.teachers import BaseTeacher
from mmact_ssl.registry import MODELS


@MODELS.register_module(force=True)
class GrayTeacher(BaseTeacher):
    def __init__(self, kind):
        super().__init__({'kind': kind}, {})
        self.kind = kind
        self.layout = {'pose': 'coco17', 'map': 'person'}.get(kind, '')

    def predict(self, frames):
        gray = frames.float().mean(1) / 255  # (N, H, W)
        if self.kind == 'map':
            return gray[:, None, ::8, ::8]
        mean = gray.mean((1, 2))
        return mean[:, None, None].expand(-1, 17, 3) if self.kind == 'pose' else mean[:, None]

    def embed(self, sentences):
        return torch.tensor([[len(line)] for line in sentences]).float()
"""


@pytest.fixture(scope='module')
def tool():
    return runpy.run_path(str(ROOT / 'tools' / 'extract_targets.py'))['main']


@pytest.fixture
def data(tmp_path, make_video, monkeypatch):
    """Two videos with an annotation, and configs of teachers of all kinds."""
    (tmp_path / 'gray_teacher.py').write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, 'dont_write_bytecode', True)
    monkeypatch.delitem(sys.modules, 'gray_teacher', raising=False)
    for kind in ('pose', 'map', 'embedding', 'text', 'box'):
        (tmp_path / f'gray_{kind}.py').write_text(
            "custom_imports = dict(imports=['gray_teacher'])\n"
            f"teacher = dict(type='GrayTeacher', kind='{kind}')\n"
        )
    for i in range(2):
        make_video(tmp_path / f'{i}.mp4', num_frames=6 + i, width=64, height=48)
    (tmp_path / 'train.txt').write_text('0.mp4 0\n')
    (tmp_path / 'test.txt').write_text('1.mp4 1\n')
    return tmp_path


def test_the_options_name_what_a_cache_can_store():
    names = runpy.run_path(str(ROOT / 'tools' / 'extract_targets.py'))
    assert names['MAP_DTYPES'] == STORAGE['map']
    assert names['EMBEDDING_DTYPES'] == STORAGE['embedding'] == STORAGE['text']


def config(data, kind):
    return str(data / f'gray_{kind}.py')


def test_a_broken_video_is_named(tool, data, capsys):
    (data / '1.mp4').write_bytes(b'no video')
    tool([config(data, 'pose'), '--data', str(data)])
    out = capsys.readouterr().out
    assert '1 videos written, 0 were there, 1 broken' in out
    assert re.search(r'warning: 1\.mp4: .*; all without targets: .*pose\.lmdb\.broken\.txt', out)


def test_several_teachers_fill_a_cache_each(tool, data, capsys):
    configs = [config(data, kind) for kind in ('pose', 'map', 'embedding')]
    options = ['--data', str(data), '--map-dtype', 'uint8', '--embedding-dtype', 'float16']
    tool([*configs, *options])
    out = capsys.readouterr().out
    assert '2 videos written, 0 were there, 0 broken; 13 frames' in out
    assert 'warning' not in out
    for name, kind, dtype in (
        ('pose', 'pose', 'float32'),
        ('gray_map', 'map', 'uint8'),
        ('gray_embedding', 'embedding', 'float16'),
    ):
        reader = TargetReader(data / 'targets' / f'{name}.lmdb')
        assert (reader.meta.kind, reader.meta.dtype) == (kind, dtype)
        assert [reader.shape(key)[0] for key in ('0.mp4', '1.mp4')] == [6, 7]
    tool([*configs, *options])
    assert '0 videos written, 2 were there' in capsys.readouterr().out


def test_embeddings_of_every_second_frame_in_int8(tool, data):
    command = [config(data, 'embedding'), '--data', str(data), '--every', '2']
    tool([*command, '--out', str(data / 'exact')])
    tool([*command, '--embedding-dtype', 'int8'])
    exact, reader = (TargetReader(data / name) for name in ('exact', 'targets/gray_embedding.lmdb'))
    assert (reader.meta.dtype, reader.meta.every) == ('int8', 2)
    for key in ('0.mp4', '1.mp4'):  # of one value, which is the scale
        np.testing.assert_array_equal(reader.get(key), exact.get(key))
    tool(['inspect', str(reader.path), '--verify'])
    with pytest.raises(SystemExit, match='stale: its dtype is int8, wanted float16'):
        tool([*command, '--embedding-dtype', 'float16'])


def test_every_second_frame(tool, data, capsys):
    tool([config(data, 'pose'), '--data', str(data), '--every', '2'])
    assert '2 videos written, 0 were there, 0 broken; 13 frames' in capsys.readouterr().out
    reader = TargetReader(data / 'targets' / 'pose.lmdb')
    assert [reader.shape(key) for key in ('0.mp4', '1.mp4')] == [(6, 17, 3), (7, 17, 3)]
    tool(['inspect', str(reader.path)])
    out = capsys.readouterr().out
    assert 'every            2 frames\n' in out and 'frames           13\n' in out
    with pytest.raises(SystemExit, match='stale: its every is 2, wanted 1'):
        tool([config(data, 'pose'), '--data', str(data)])
    for option in ('--every', '--batch-size'):
        with pytest.raises(SystemExit):
            tool([config(data, 'pose'), '--data', str(data), option, '0'])
        assert f'{option}: give 1 or more' in capsys.readouterr().err


def test_two_pose_teachers_do_not_share_a_cache(tool, data):
    other = data / 'other.py'
    other.write_text(Path(config(data, 'pose')).read_text())
    tool([config(data, 'pose'), str(other), '--data', str(data)])
    assert sorted(path.name for path in (data / 'targets').iterdir()) == [
        'gray_pose.lmdb',
        'other.lmdb',
    ]


def test_sentences(tool, data, capsys):
    (data / 's.json').write_text(json.dumps({'0.mp4': ['one', 'three'], 'clap': ['x']}))
    tool([config(data, 'text'), '--sentences', str(data / 's.json'), '--data', str(data)])
    assert '2 keys written, 0 were there' in capsys.readouterr().out
    reader = TargetReader(data / 'targets' / 'gray_text.lmdb')
    np.testing.assert_array_equal(reader.get('0.mp4'), [[3], [5]])
    (data / 's.json').write_text(
        json.dumps({'0.mp4': ['two', 'four'], 'clap': ['x'], 'sit': ['y'], 'wave': ['z']})
    )
    tool([config(data, 'text'), '--sentences', str(data / 's.json'), '--data', str(data)])
    out = capsys.readouterr().out
    assert '3 keys written (1 had changed), 1 were there, 0 broken' in out
    np.testing.assert_array_equal(reader.get('0.mp4'), [[3], [4]])
    (data / 's.json').write_text(json.dumps({'clap': ['x'], 'sit': ['y']}))
    tool([config(data, 'text'), '--sentences', str(data / 's.json'), '--data', str(data)])
    out = capsys.readouterr().out
    assert '2 were there, 2 removed that the file lacks, 0 broken' in out
    assert reader.keys() == ['clap', 'sit']


def test_import_of_a_table_names_its_cache(tool, data, capsys):
    arrays = {'names': np.array(['0', '1']), 'lengths': np.array([6, 7])}
    np.savez(data / 'masks.npz', maps=np.zeros((13, 1, 4, 4)), layout='person', **arrays)
    np.savez(data / 'p.npz', keypoints=np.zeros((13, 17, 3)), layout='coco17', **arrays)
    tool(['import-npz', str(data / 'masks.npz'), '--data', str(data), '--map-dtype', 'float16'])
    tool(['import-npz', str(data / 'p.npz'), '--data', str(data)])
    masks = TargetReader(data / 'targets' / 'masks.lmdb')
    assert (masks.meta.dtype, masks.keys()) == ('float16', ['0.mp4', '1.mp4'])
    assert TargetReader(data / 'targets' / 'pose.lmdb').meta.kind == 'pose'


def test_inspect_and_fix(tool, data, capsys):
    tool([config(data, 'embedding'), '--data', str(data)])
    cache = data / 'targets' / 'gray_embedding.lmdb'
    capsys.readouterr()
    tool(['inspect', str(cache), '--verify'])
    out = capsys.readouterr().out
    assert 'kind             embedding\n' in out and 'frames           13\n' in out
    assert out.endswith('verified: every entry is whole\n')
    wanted = TargetReader(cache).get('1.mp4')
    file = cache / 'data.mdb'
    file.write_bytes(file.read_bytes().replace(wanted.tobytes(), wanted[::-1].tobytes()))
    with pytest.raises(SystemExit, match=r"error: video '1.mp4'.*--drop-damaged"):
        tool(['inspect', str(cache)])
    with pytest.raises(SystemExit) as end:
        tool(['inspect', str(cache), '--verify'])
    assert end.value.code == 1
    assert 'damaged: 1.mp4: wrong checksum\n1 entries are damaged' in capsys.readouterr().out
    with pytest.raises(SystemExit) as end:
        tool(['inspect', str(cache), '--verify', '--drop-damaged'])
    assert end.value.code == 1
    tool([config(data, 'embedding'), '--data', str(data)])
    assert '1 videos written, 1 were there' in capsys.readouterr().out
    np.testing.assert_array_equal(TargetReader(cache).get('1.mp4'), wanted)
    tool(['inspect', str(cache), '--verify'])


@pytest.mark.parametrize(
    ('kinds', 'options', 'message'),
    [
        (['pose'], [], 'give videos and a cache'),
        (['pose', 'map'], ['--ann', '{data}/train.txt', '--out', '{data}/x'], '--out names one'),
        (['text'], ['--data', '{data}'], 'reads sentences: give --sentences'),
        (['pose'], ['--data', '{data}', '--sentences', '{data}/s.json'], 'reads no sentences'),
        (['text', 'text'], ['--data', '{data}', '--sentences', '{data}/s.json'], 'one config'),
        (
            ['text'],
            ['--sentences', '{data}/s.json', '--data', '{data}', '--ann', '{data}/test.txt'],
            '--ann cannot go with --sentences',
        ),
        (
            ['text'],
            ['--sentences', '{data}/s.json', '--out', 'x', '--ann', 'a', '--videos', 'b'],
            '--ann and --videos cannot go',
        ),
        (
            ['text'],
            ['--sentences', '{data}/s.json', '--out', 'x', '--every', '4', '--workers', '1'],
            '--every and --workers cannot go',
        ),
        (['box'], ['--data', '{data}'], "kind 'box' cannot be stored"),
    ],
)
def test_wrong_uses_end_in_one_line(tool, data, kinds, options, message):
    (data / 's.json').write_text('{"a": ["b"]}')
    command = [config(data, kind) for kind in kinds] + [part.format(data=data) for part in options]
    with pytest.raises(SystemExit, match=f'^error: .*{message}'):
        tool(command)
