"""Annotation pickles of pyskl and mmaction2."""

from __future__ import annotations

import json
import os
import pickle

import numpy as np
import pytest

from mmact_ssl.errors import DataError
from mmact_ssl.preparation.pose_pickles import prepare as prepare_pose_pickle
from tests.test_preparation.helpers import lines


def annotation(name, label, persons=1, frames=4, joints=17, coordinates=2, seed=0):
    rng = np.random.default_rng(seed)
    shape = (persons, frames, joints, coordinates)
    return {
        'frame_dir': name,
        'label': label,
        'img_shape': (1080, 1920),
        'total_frames': frames,
        'keypoint': rng.uniform(10, 500, shape).astype(np.float16),
        'keypoint_score': rng.uniform(0.1, 1, shape[:3]).astype(np.float16),
    }


def write(path, content):
    path.write_bytes(pickle.dumps(content))
    return path


def test_2d_with_splits(tmp_path):
    clips = [annotation('a', 0), annotation('b', 2, persons=3, seed=1), annotation('c', 1, seed=2)]
    clips[0]['keypoint_score'][0, 1, 5] = 0
    clips[1]['keypoint'][1] = 3 * clips[1]['keypoint'][1, :1]  # large, and does not move
    source = write(
        tmp_path / 'hmdb51_hrnet.pkl',
        {'split': {'train1': ['a', 'c', 'a'], 'test1': ['b', 'gone']}, 'annotations': clips},
    )
    out = tmp_path / 'out'
    counts = prepare_pose_pickle(source, out, 'coco17')
    assert counts == {'clips': 3, 'train1': 2, 'test1': 1, 'left_out': 0}
    assert lines(out / 'train1.txt') == ['a 0', 'c 1'] and lines(out / 'test1.txt') == ['b 2']
    meta = json.loads((out / 'meta.json').read_text())
    assert (meta['dataset'], meta['classes']) == ('hmdb51_hrnet', 3)
    coordinates = np.load(out / 'skeletons.npy')
    expected = clips[0]['keypoint'][0].astype(np.float32)
    expected[1, 5] = 0
    np.testing.assert_array_equal(coordinates[:4, 0], expected)
    kept = {coordinates[4, person, 0, 0] for person in range(2)}
    assert kept == {float(clips[1]['keypoint'][person, 0, 0, 0]) for person in (0, 2)}


def test_3d_list_without_splits(tmp_path):
    clips = [annotation(f'v{i}', i, joints=25, coordinates=3, seed=i) for i in range(2)]
    for clip in clips:
        del clip['keypoint_score']
        clip['filename'] = clip.pop('frame_dir')
    source = write(tmp_path / 'ntu.pkl', clips)
    assert prepare_pose_pickle(source, tmp_path / 'out', 'ntu25', 1, 'xyz')['all'] == 2
    assert np.load(tmp_path / 'out/skeletons.npy').shape == (8, 1, 25, 3)


def test_clips_of_no_use_are_left_out(tmp_path):
    flat = annotation('flat', 0)
    flat['keypoint'] = flat['keypoint'][0]
    nothing = annotation('nothing', 0)
    del nothing['keypoint']
    source = write(tmp_path / 'a.pkl', [annotation('good', 0), flat, nothing])
    assert prepare_pose_pickle(source, tmp_path / 'out', 'coco17')['left_out'] == 2
    said = dict(line.split('\t') for line in lines(tmp_path / 'out' / 'left_out.txt'))
    assert 'shape [4, 17, 2]' in said['flat'] and 'shape []' in said['nothing']


def test_clips_may_lack_labels(tmp_path):
    clips = [annotation(name, label) for name, label in zip('abcd', (None, -1, 1, np.int64(0)))]
    del clips[0]['label']
    source = write(tmp_path / 'a.pkl', clips)
    assert prepare_pose_pickle(source, tmp_path / 'out', 'coco17')['clips'] == 4
    assert lines(tmp_path / 'out' / 'all.txt') == ['a', 'b', 'c 1', 'd 0']
    assert prepare_pose_pickle(write(source, clips[:2]), tmp_path / 'out', 'coco17')['clips'] == 2
    assert lines(tmp_path / 'out' / 'all.txt') == ['a', 'b']


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'annotations': []}, 'no list of annotations'),
        ([{'label': 0, 'keypoint': np.ones((1, 2, 17, 2))}], 'neither frame_dir nor filename'),
        ([{'frame_dir': 'a', 'label': 0}], r'is needed, not \[\]'),
        ([annotation('a', [0, 2])], r'a\.pkl: a has the label \[0, 2\]: give one whole number'),
        ([annotation('a', 0.5)], r'a has the label 0\.5: give one'),
        ([annotation('a', 'walk')], 'a has the label walk: give one'),
    ],
)
def test_a_pickle_of_another_form_says_so(tmp_path, content, message):
    source = write(tmp_path / 'a.pkl', content)
    with pytest.raises(DataError, match=message):
        prepare_pose_pickle(source, tmp_path / 'out', 'coco17')


@pytest.mark.parametrize('split', ['../train', '/train', 'a/../../train', 'a\0b', '\ud800'])
def test_a_split_of_a_pickle_writes_nothing_elsewhere(tmp_path, split):
    (tmp_path / 'train.txt').write_text('precious')
    content = {'split': {split: ['a']}, 'annotations': [annotation('a', 0)]}
    with pytest.raises(DataError, match='is not a path inside a folder'):
        prepare_pose_pickle(write(tmp_path / 'a.pkl', content), tmp_path / 'out', 'coco17')
    assert (tmp_path / 'train.txt').read_text() == 'precious'


class Attack:
    def __reduce__(self):
        return os.mkdir, ('ran',)


def test_a_pickle_that_would_run_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = write(tmp_path / 'a.pkl', [annotation('a', 0), {'frame_dir': Attack()}])
    with pytest.raises(DataError, match=r'refused, it holds posix\.mkdir'):
        prepare_pose_pickle(source, tmp_path / 'out', 'coco17')
    assert [path.name for path in tmp_path.iterdir()] == ['a.pkl']
