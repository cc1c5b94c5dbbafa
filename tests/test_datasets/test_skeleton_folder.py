"""Opening a prepared skeleton folder: what is wrong with it is said at once."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mmact_ssl.datasets.skeleton_folder import open_skeleton_folder
from mmact_ssl.errors import DataError
from mmact_ssl.preparation.skeletons import SkeletonWriter


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    with SkeletonWriter(tmp_path, 'tiny', 'coco17', ['walk', 'run'], 2, 2) as writer:
        writer.add('a', 0, rng.random((1, 3, 17, 2)))
        writer.add('b', 1, rng.random((2, 4, 17, 2)))
        writer.finish({'all': ['a', 'b']})
    return tmp_path


def test_an_opened_folder_tells_what_was_written(folder):
    opened = open_skeleton_folder(folder, 'no matter')
    assert (opened.layout, opened.num_classes) == ('coco17', 2)
    assert opened.names.tolist() == ['a', 'b'] and opened.labels.tolist() == [0, 1]
    assert opened.lengths.tolist() == [3, 4] and opened.starts.tolist() == [0, 3]
    assert opened.shape == (7, 2, 17, 2) and not opened._coordinates.flags.writeable


def change_meta(**change):
    def damage(folder):
        meta = json.loads((folder / 'meta.json').read_text())
        (folder / 'meta.json').write_text(json.dumps({**meta, **change}))

    return damage


def change_clips(**change):
    def damage(folder):
        with np.load(folder / 'clips.npz') as table:
            content = dict(table)
        np.savez(folder / 'clips.npz', **{**content, **change})

    return damage


def cut(name, size):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:size])


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (lambda folder: (folder / 'meta.json').unlink(), 'meta.json is missing, .*incomplete'),
        (change_meta(format=2), 'format is 2'),
        (change_meta(layout='octopus8'), "layout is 'octopus8'"),
        (change_meta(classes=1), 'labels 0 to 1, meta.json gives 1 classes'),
        (cut('meta.json', 20), 'meta.json: Unterminated string'),
        (change_clips(lengths=np.array([3, 5])), 'do not add up to the 7 frames'),
        (change_clips(labels=np.array([0, -2])), 'labels -2 to 0'),
        (change_clips(names=np.array('a')), 'do not add up'),
        (change_clips(names=np.array(['a', None])), 'clips.npz: Object arrays cannot be loaded'),
    ],
)
def test_what_is_wrong_is_one_line_with_the_fix(folder, damage, message):
    damage(folder)
    with pytest.raises(DataError, match=message) as error:
        open_skeleton_folder(folder, 'prepare it again')
    assert 'prepare it again' in str(error.value) and '\n' not in str(error.value)
