"""One's own skeletons from an npz file."""

from __future__ import annotations

import numpy as np
import pytest

from mmact_ssl.datasets import SkeletonDataset
from mmact_ssl.errors import DataError
from mmact_ssl.preparation.custom import prepare as prepare_custom
from mmact_ssl.preparation.files import data_root
from tests.test_preparation.helpers import lines


def table(persons=None, **more):
    """Four clips of three classes; ``persons`` adds that axis."""
    shape = (10, 20, 3) if persons is None else (10, persons, 20, 3)
    return {
        'names': np.array(['a', 'b', 'c', 'd']),
        'labels': np.array([0, 2, 1, 0]),
        'lengths': np.array([3, 1, 4, 2]),
        'keypoints': np.random.default_rng(0).uniform(1, 2, shape).astype(np.float32),
        **more,
    }


def split(**parts):
    return table(**{f'{part}_names': np.array(names) for part, names in parts.items()})


def prepare(tmp_path, content, **options):
    np.savez(tmp_path / 'mine.npz', **content)
    options = dict(coordinates='xyz') | options
    return prepare_custom(tmp_path / 'mine.npz', tmp_path / 'out', 'kinect20', **options)


@pytest.mark.parametrize('persons', [None, 1, 2])
def test_clips_come_back(tmp_path, persons):
    content = table(persons)
    assert prepare(tmp_path, content) == {'clips': 4, 'all': 4, 'left_out': 0}
    out = tmp_path / 'out'
    assert lines(out / 'classes.txt') == ['class 0', 'class 1', 'class 2']
    dataset = SkeletonDataset(str(out / 'all.txt'), [], {'skeleton': str(out)})
    assert [dataset[i]['label'] for i in range(4)] == [0, 2, 1, 0]
    for index, (start, end) in enumerate(((0, 3), (3, 4), (4, 8), (8, 10))):
        expected = content['keypoints'].reshape(10, persons or 1, 20, 3)[start:end]
        np.testing.assert_array_equal(dataset[index]['keypoint'], expected.swapaxes(0, 1))


@pytest.mark.parametrize('tests', ['test', 'val'])
def test_splits(tmp_path, tests):
    out = tmp_path / 'out'
    content = split(train=['c', 'a'], **{tests: ['b']})
    assert prepare(tmp_path, content) == {'clips': 4, 'train': 2, 'test': 1, 'left_out': 0}
    assert lines(out / 'train.txt') == ['c 1', 'a 0'] and lines(out / 'test.txt') == ['b 2']
    content['subjects'] = np.array([1, 2, 3, 1])  # the option comes first
    prepare(tmp_path, content, train_subjects=[1, 3])
    assert lines(out / 'xsub_train.txt') == ['a 0', 'c 1', 'd 0']
    assert lines(out / 'xsub_test.txt') == ['b 2']


def test_unused_clips_are_left_out(tmp_path):
    content = table(used=np.array([True, True, True, False]), classes=np.array(['x', 'y', 'z']))
    assert prepare(tmp_path, content) == {'clips': 3, 'all': 3, 'left_out': 1}
    assert lines(tmp_path / 'out' / 'left_out.txt') == ['d\tnot marked as used']
    assert lines(tmp_path / 'out' / 'classes.txt') == ['x', 'y', 'z']


@pytest.mark.parametrize('dtype', [np.float32, np.uint16])
def test_left_handed_coordinates_become_right_handed(tmp_path, dtype):
    keypoints = np.arange(1, 601).reshape(10, 20, 3).astype(dtype)
    prepare(tmp_path, table(keypoints=keypoints), left_handed=True)
    found = np.load(tmp_path / 'out' / 'skeletons.npy')
    np.testing.assert_array_equal(found[:, 0], keypoints * np.float32([1, 1, -1]))


@pytest.mark.parametrize(
    ('content', 'options', 'message'),
    [
        (table(lengths=np.array([3, 1, 4, 1])), {}, r'lengths add up to 9, keypoints have shape'),
        (table(classes=np.array(['x', 'y'])), {}, 'label 2 of b is not one of 2 classes from 0'),
        (table(names=np.array([{}] * 4, dtype=object)), {}, 'give an npz file without pickles'),
        ({'names': np.array(['a'])}, {}, 'no array lengths; docs/start/own_skeletons.md shows'),
        (table(), {'left_handed': True, 'coordinates': 'xy'}, 'needs key points in 3D'),
        (table(lengths=np.array([15, -10, 3, 2])), {}, 'mine.npz: lengths has -10; give 0 or more'),
        (table(lengths=np.array([3, 1, 4, 2.0])), {}, 'mine.npz: lengths must be whole numbers'),
        (table(labels=np.array([0, -2, 1, 0])), {}, 'mine.npz: labels has -2; give -1 or more'),
        (
            table(
                keypoints=np.where(np.arange(10) == 4, np.nan, np.ones((20, 3, 10))).T.swapaxes(
                    1, 2
                )
            ),
            {},
            "mine.npz: keypoints are not finite in 1 frames, first in clip 'c'; write 0",
        ),
        (split(train=['a'], val=['a']), {}, 'a comes twice in train_names and val_names'),
        (split(train=['a', 'a'], test=['b']), {}, 'a comes twice in train_names and test_names'),
        (split(train=['a']), {}, 'the split has train_names; give train_names, and test_names or'),
        (
            split(train=['a'], val=['b'], test=['c']),
            {},
            'the split has train_names, test_names, val_names; give train_names',
        ),
        (
            table(subjects=np.array([3, 1, 3, 0])),
            {'train_subjects': [0, 1, 2, 4]},
            'no clip of subject 2, there are 0, 1, 3; correct --train-subjects',
        ),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, content, options, message):
    with pytest.raises(DataError, match=message) as error:
        prepare(tmp_path, content, **options)
    assert '\n' not in str(error.value)


def test_real_msr_action3d(tmp_path):
    source = data_root() / 'msr_action3d' / 'msr_action3d.npz'
    if not source.exists():
        pytest.skip(f'no {source}: set MMACT_SSL_DATA')
    odd = [1, 3, 5, 7, 9]
    counts = prepare_custom(source, tmp_path, 'kinect20', 'xyz', train_subjects=odd)
    assert counts == {'clips': 557, 'xsub_train': 284, 'xsub_test': 273, 'left_out': 10}
    coordinates = np.load(tmp_path / 'skeletons.npy')
    assert coordinates.any(axis=(1, 2, 3)).all()
