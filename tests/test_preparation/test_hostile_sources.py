"""Files that somebody made to break the preparation: each ends in one line that names it."""

from __future__ import annotations

import json
import os
import pickle
import zipfile

import numpy as np
import pytest

from mmact_ssl.errors import DataError
from mmact_ssl.io.files import UNPACKED_BYTES
from mmact_ssl.preparation import custom, jhmdb, nwucla, pose_pickles, videos
from tests.test_preparation.helpers import make_video

KEYPOINT = np.random.default_rng(0).random((1, 5, 17, 2))
CLIP = 'a01_s01_e00_v01.json'


def annotation(name='good', **fields):
    return {'frame_dir': name, 'label': 0, 'keypoint': KEYPOINT, **fields}


def prepare_pickle(folder, content):
    (folder / 'x.pkl').write_bytes(pickle.dumps(content))
    return pose_pickles.prepare(folder / 'x.pkl', folder / 'out', 'coco17')


@pytest.mark.parametrize(
    'content',
    [
        [annotation(label=10**9)],
        [annotation(label=float('inf'))],
        [annotation(keypoint=[[1], [2, 3]])],
        [annotation(keypoint='x')],
        [annotation(keypoint=np.full((1, 5, 17, 2), 'x'))],
        [annotation(keypoint=[[[[10**400] * 2] * 17] * 2])],
        [annotation('half \ud800')],
        {'split': {'train': 5}, 'annotations': [annotation()]},
    ],
)
def test_odd_pickles(tmp_path, content):
    with pytest.raises(DataError, match=r'x(\.pkl)?: ') as error:
        prepare_pickle(tmp_path, content)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    'fields',
    [
        {'names': np.array('a')},
        {'lengths': np.array(5)},
        {'keypoints': np.array(1.0)},
        {'keypoints': np.full((5, 17, 2), 'x')},
        {'labels': np.array([10**9])},
        {'used': np.array('x')},
    ],
)
def test_odd_arrays(tmp_path, fields):
    arrays = {
        'names': np.array(['a']),
        'labels': np.array([0]),
        'lengths': np.array([5]),
        'keypoints': KEYPOINT[0],
        **fields,
    }
    np.savez(tmp_path / 'x.npz', **arrays)
    with pytest.raises(DataError, match=r'x\.npz: ') as error:
        custom.prepare(tmp_path / 'x.npz', tmp_path / 'out', 'coco17')
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('name', ['keypoints', 'other'])
def test_an_archive_that_unpacks_to_a_thousand_times_its_size_is_not_unpacked(tmp_path, name):
    source = tmp_path / 'x.npz'
    archive = zipfile.ZipFile(source, 'w', zipfile.ZIP_DEFLATED)
    with archive, archive.open(f'{name}.npy', 'w', force_zip64=True) as member:
        for _ in range(UNPACKED_BYTES // 2**24 + 1):
            member.write(bytes(2**24))
    assert source.stat().st_size < 2**20
    with pytest.raises(DataError, match=r'x\.npz unpacks to 0\.3 GiB, more than 100 times its'):
        custom.prepare(source, tmp_path / 'out', 'coco17')
    with pytest.raises(DataError, match=r'x\.npz unpacks to 0\.3 GiB'):
        nwucla.prepare(source, tmp_path / 'out')


def encrypted(data):
    where = data.index(b'PK\x01\x02')
    data[6] |= 1
    data[where + 8] |= 1


def of_an_unknown_method(data):
    where = data.index(b'PK\x01\x02')
    data[8] = data[where + 10] = 97


def torn(data):
    data[60:90] = b'\xff' * 30


@pytest.mark.parametrize('damage', [encrypted, of_an_unknown_method, torn])
def test_odd_archives(tmp_path, damage):
    check_left_out(tmp_path, json.dumps({'skeletons': [[[0.0] * 3] * 20] * 5}), damage)


@pytest.mark.parametrize(
    'content',
    [
        *('[' * 100_000, '[]', '{}', '{"skeletons": 1e999}', '\\'),
        *('{"skeletons": [[[1, 2, 3]], [[1, 2]]]}', '{"skeletons": [[[1, 2, 3]]'),
    ],
)
def test_odd_json(tmp_path, content):
    check_left_out(tmp_path, content)


def check_left_out(tmp_path, content, damage=None):
    with zipfile.ZipFile(tmp_path / 'x.zip', 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(CLIP, content)
    data = bytearray((tmp_path / 'x.zip').read_bytes())
    if damage:
        damage(data)
        (tmp_path / 'x.zip').write_bytes(data)
    with pytest.raises(DataError, match='has no usable clip; a01_s01_e00_v01: ') as error:
        nwucla.prepare(tmp_path / 'x.zip', tmp_path / 'out')
    assert '\n' not in str(error.value)


def test_a_list_of_videos_writes_nothing_outside(tmp_path):
    source = tmp_path / 'deep' / 'source'
    source.mkdir(parents=True)
    make_video(tmp_path / 'deep' / 'victim.mp4')
    (tmp_path / 'victim.mp4').write_text('precious')  # where out/../victim.mp4 would be written
    for name, text in {'train': '../victim.mp4 0', 'val': 'a.mp4 0', 'classes': 'x'}.items():
        (source / f'{name}.txt').write_text(f'{text}\n')
    with pytest.raises(DataError, match=r"train.txt: '../victim.mp4' is not a path inside"):
        jhmdb.prepare(source, tmp_path / 'out')
    assert (tmp_path / 'victim.mp4').read_text() == 'precious'


def test_a_video_whose_name_is_not_utf8_is_left_out(tmp_path):
    make_video(tmp_path / 'in' / 'good.mp4')
    os.link(tmp_path / 'in' / 'good.mp4', os.fsencode(tmp_path / 'in') + b'/caf\xe9.mp4')
    assert videos.prepare(tmp_path / 'in', tmp_path / 'out') == {'train': 1, 'left_out': 1}
    assert 'its name is not UTF-8' in (tmp_path / 'out' / 'left_out.txt').read_text()
