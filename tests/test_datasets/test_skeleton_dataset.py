"""SkeletonDataset: samples, early errors, randomness, copies."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from mmact_ssl.datasets.label_subset import label_subset
from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.preparation.skeletons import SkeletonWriter
from mmact_ssl.registry import DATASETS

CLIPS = {
    name: np.random.default_rng(seed).normal(size=(persons, length, 20, 3)).astype(np.float32)
    for seed, (name, persons, length) in enumerate((('a', 1, 5), ('b', 2, 1), ('c', 1, 7)))
}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data')
    with SkeletonWriter(folder, 'tiny', 'kinect20', ['walk', 'run', 'sit'], 2) as writer:
        for label, (name, clip) in enumerate(CLIPS.items()):
            writer.add(name, label, clip)
        writer.finish({'all': list(CLIPS)})
    return folder


def build(folder, lines=('c 2', 'a 0', 'b 1'), **options):
    (folder / 'list.txt').write_text('\n'.join(lines))
    return DATASETS.build(
        {
            'type': 'mmact_ssl.SkeletonDataset',
            'ann_file': str(folder / 'list.txt'),
            'data_prefix': {'skeleton': str(folder)},
            'pipeline': [],
            **options,
        }
    )


def test_samples(folder):
    dataset = build(folder, ['c 2', '', 'a', 'b 1'])
    assert len(dataset) == 3
    for index, (name, label) in enumerate((('c', 2), ('a', -1), ('b', 1))):
        sample, clip = dataset[index], CLIPS[name]
        keypoint = sample['keypoint']
        assert keypoint.dtype == np.float32 and keypoint.shape == (2, clip.shape[1], 20, 3)
        np.testing.assert_array_equal(keypoint[: len(clip)], clip)
        assert not keypoint[len(clip) :].any()
        assert sample['frame_dir'] == sample['filename'] == name and sample['label'] == label
        assert sample['total_frames'] == clip.shape[1] and sample['layout'] == 'kinect20'
        assert sample['start_index'] == 0 and sample['modality'] == 'Pose'


def test_a_person_that_the_network_does_not_read_changes_nothing(tmp_path):
    """Its axes would be better, because a hip of the first person is missing at the start."""
    both = np.random.default_rng(5).normal(size=(2, 6, 20, 3)).astype(np.float32)
    both[0, 0, LAYOUTS['kinect20'].index('left_hip')] = 0
    with SkeletonWriter(tmp_path, 'tiny', 'kinect20', ['walk'], num_persons=2) as writer:
        writer.add('both', 0, both)
        writer.add('alone', 0, both[:1])
        writer.finish({'all': ['both', 'alone']})
    keep_one = dict(type='mmaction.FormatGCNInput', num_person=1)
    pipeline = [dict(type='NormalizeSkeleton'), keep_one]
    dataset = build(tmp_path, ['both 0', 'alone 0'], pipeline=pipeline)
    with_other, alone = (dataset[index]['keypoint'] for index in range(2))
    np.testing.assert_array_equal(with_other, alone)


@pytest.mark.parametrize(
    ('lines', 'options', 'message'),
    [
        (['a 0', 'd 1'], {}, r'list\.txt: clip d is not in'),
        (['a 3'], {}, r'list\.txt: label 3 of a is out of range, .* has 3 classes'),
        (['a -2'], {}, r'list\.txt:1: label -2 is neither'),
        (['a 0'], {'data_prefix': {'skeleton': '/no/such'}}, 'folder /no/such is missing'),
    ],
)
def test_what_is_missing_is_named_at_once(folder, lines, options, message):
    with pytest.raises(DataError, match=message) as error:
        build(folder, lines, prepare_command='mmact-ssl prepare x', **options)
    assert '\n' not in str(error.value)
    assert 'run `mmact-ssl prepare x`' in str(error.value)


def draw(results):
    results['draw'] = float(np.random.rand())
    return results


def test_randomness_is_the_processes_own_until_progress_is_set(folder):
    dataset = build(folder, pipeline=[draw])
    np.random.seed(5)
    expected = np.random.rand(2)
    np.random.seed(5)
    assert [dataset[0]['draw'], dataset[0]['draw']] == expected.tolist()
    dataset.set_progress(1, 4)
    first = dataset[0]['draw']
    assert dataset[0]['draw'] == first != dataset[1]['draw']
    dataset.set_progress(1, 5)
    assert dataset[0]['draw'] != first
    dataset.set_progress(1, 4)
    assert dataset[0]['draw'] == first


def test_copies_do_not_carry_the_coordinates(folder):
    dataset = build(folder)
    expected = dataset[0]['keypoint']  # the file is mapped by now
    assert len(pickle.dumps(dataset)) < 20_000
    for again in (pickle.loads(pickle.dumps(dataset)), copy.deepcopy(dataset)):
        np.testing.assert_array_equal(again[0]['keypoint'], expected)


def test_a_part_of_the_labels_is_that_of_the_evaluation(folder):
    """Half of each class by its names; the others and unlabeled clips have none."""
    lines = ['a 0', 'b 0', 'c 1', 'b 1', 'a']
    infos = list(build(folder, lines, label_fraction=0.5, label_seed=3))
    names, labels = ['a', 'b', 'c', 'b'], np.array([0, 0, 1, 1])
    drawn = label_subset(names, labels, 0.5, 3)
    assert len(drawn) == 2
    expected = [label if i in drawn else -1 for i, label in enumerate(labels)]
    assert [info['label'] for info in infos] == [*expected, -1]


@pytest.fixture(scope='module')
def cameras(tmp_path_factory):
    """Performance 0 by three cameras, performance 1 by two, performance 2 by one."""
    folder = tmp_path_factory.mktemp('cameras')
    names = [f'e{e}_v{v}' for e, count in enumerate((3, 2, 1)) for v in range(count)]
    with SkeletonWriter(folder, 'tiny', 'kinect20', ['walk', 'run'], 1) as writer:
        for length, name in enumerate(names, start=1):
            writer.add(name, 1, np.full((1, length, 20, 3), length, np.float32))
        writer.finish({'all': names})
    return folder, names


def test_another_camera_is_any_other_of_the_performance_and_never_the_same(cameras):
    folder, names = cameras
    dataset = build(folder, [f'{name} 1' for name in names], performance_pattern=r'(e\d)_v')
    keypoint = dataset[0]['keypoint']
    assert type(keypoint) is np.ndarray and keypoint.flags.owndata  # a copy, of one person too
    seen = {name: set() for name in names}
    for epoch in range(20):
        dataset.set_progress(0, epoch)
        for index in range(len(names)):
            sample, again = dataset[index], dataset[index]
            assert sample['keypoint'].shape[1] == sample['total_frames']
            other = sample['other_camera']
            if other is None:
                continue
            assert again['other_camera']['filename'] == other['filename'], 'drawn the same again'
            seen[sample['filename']].add(other['filename'])
            length = names.index(other['filename']) + 1
            np.testing.assert_array_equal(other['keypoint'], np.full((1, length, 20, 3), length))
            assert (other['total_frames'], other['layout']) == (length, 'kinect20')
    assert seen == {
        name: {other for other in names if other[:2] == name[:2]} - {name} for name in names
    }


def test_what_would_leave_the_other_camera_unread_or_raw_is_refused(cameras):
    folder, names = cameras
    read = dict(type='MakeSkeletonViews', views=dict(one=[], two=[]), other_camera=['two'])
    settings = dict(performance_pattern=r'(e\d)_v')
    assert len(build(folder, names, pipeline=[read], **settings))
    unread = {key: read[key] for key in ('type', 'views')}
    normalize = dict(type='NormalizeSkeleton')
    for pipeline in ([unread], [normalize, read]):
        with pytest.raises(ConfigError, match='must begin with MakeSkeletonViews'):
            build(folder, names, pipeline=pipeline, **settings)


def test_a_pattern_that_pairs_nothing_is_refused(cameras):
    folder, _ = cameras
    with pytest.raises(ConfigError, match=r"does not match 'e0_v0'"):
        build(folder, ['e0_v0'], performance_pattern=r'(a\d)')
    with pytest.raises(ConfigError, match='is not a regular expression with a group; put what'):
        build(folder, ['e0_v0', 'e0_v1'], performance_pattern=r'e\d')
    with pytest.raises(ConfigError, match=r'no two clips of one performance.*leave out the camera'):
        build(folder, ['e0_v0', 'e0_v1'], performance_pattern=r'(.+)')
    assert len(build(folder, ['e0_v0'], performance_pattern=r'(e\d)_v', test_mode=True)) == 1
