"""NW-UCLA from JSON files and from the archive, made here and the real one."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

from mmact_ssl.datasets import SkeletonDataset
from mmact_ssl.errors import DataError
from mmact_ssl.preparation.files import data_root
from mmact_ssl.preparation.nwucla import prepare
from tests.test_preparation.helpers import lines


def content(frames=4, seed=0):
    skeletons = np.random.default_rng(seed).uniform(0.5, 3, (frames, 20, 3)).round(4)
    return {'file_name': 'x', 'skeletons': skeletons.tolist(), 'label': 1}


@pytest.fixture
def files():
    """Texts by path; action codes 2, 8 and 11, and two files that are not of the set."""
    names = ('a02_s01_e00_v01', 'a08_s02_e00_v02', 'a11_s01_e03_v03', 'a02_s01_e00_v03')
    clips = {f'NW/all_sqe/{name}.json': content(3 + i, seed=i) for i, name in enumerate(names)}
    return {
        **{path: json.dumps(clip) for path, clip in clips.items()},
        'NW/splits.json': '{}',
        'NW/readme.txt': 'hello',
    }


def write(folder, files):
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def pack(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, 'w') as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_folder_archive_and_folder_of_the_archive_are_the_same(files, tmp_path):
    sources = [
        write(tmp_path / 'folder', files),
        pack(tmp_path / 'packed' / 'all_sqe.zip', files),
        tmp_path / 'packed',
    ]
    for number, source in enumerate(sources):
        out = tmp_path / f'out{number}'
        counts = prepare(source, out)
        assert counts == {'clips': 4, 'xview_train': 2, 'xview_test': 2, 'left_out': 0}
        assert lines(out / 'xview_train.txt') == ['a02_s01_e00_v01 0', 'a08_s02_e00_v02 1']
        assert lines(out / 'xview_test.txt') == ['a02_s01_e00_v03 0', 'a11_s01_e03_v03 2']
        assert lines(out / 'classes.txt') == ['pick up with two hands', 'donning', 'throw']
        dataset = SkeletonDataset(str(out / 'xview_test.txt'), [], {'skeleton': str(out)})
        expected = json.loads(files['NW/all_sqe/a11_s01_e03_v03.json'])['skeletons']
        np.testing.assert_array_equal(dataset[1]['keypoint'], np.float32([expected]))


def test_a_damaged_entry_of_the_archive_is_left_out(files, tmp_path):
    path = pack(tmp_path / 'all_sqe.zip', files)
    data = bytearray(path.read_bytes())
    where = data.index(b'"skeletons"')
    data[where + 40] ^= 1
    path.write_bytes(data)
    assert prepare(path, tmp_path / 'out')['left_out'] == 1
    path.write_bytes(data[:-100])
    with pytest.raises(DataError, match=r'all_sqe\.zip: BadZipFile: .*: fetch it again'):
        prepare(path, tmp_path / 'out')


def test_the_real_set_has_the_known_names_labels_and_lengths(tmp_path):
    """Against the table that the lists of CTR-GCN were checked with."""
    folder = data_root() / 'nwucla'
    if not (folder / 'nwucla.npz').exists() or not list(folder.glob('*.zip')):
        pytest.skip(f'no nwucla.npz and zip archive in {folder}: set MMACT_SSL_DATA')
    counts = prepare(folder, tmp_path)
    lists = {'xview_train': 1020, 'xview_test': 464, 'xview_test_unseen': 369}
    assert counts == {'clips': 1484, **lists, 'left_out': 0}
    with np.load(folder / 'nwucla.npz') as known, np.load(tmp_path / 'clips.npz') as clips:
        for key in ('names', 'labels', 'lengths'):
            np.testing.assert_array_equal(clips[key], known[key])
        coordinates = np.load(tmp_path / 'skeletons.npy')[:, 0]
        np.testing.assert_allclose(coordinates, known['keypoints'], atol=1e-6)
        for split, key in (('train', 'train_names'), ('test', 'val_names')):
            listed = {line.split()[0] for line in lines(tmp_path / f'xview_{split}.txt')}
            assert listed == set(known[key].tolist())
