"""The writer of prepared skeleton folders: what comes back, what is dropped, what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mmact_ssl.datasets.skeleton_folder import open_skeleton_folder
from mmact_ssl.errors import DataError
from mmact_ssl.io.files import sha256_of_file
from mmact_ssl.preparation.skeletons import SkeletonWriter
from tests.test_preparation.helpers import lines


def clip(persons=1, frames=3, joints=20, coordinates=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(0.5, 1.5, (persons, frames, joints, coordinates))


def write(out, clips, num_persons=2, splits=None, **options):
    """Write clips {name: array} of two classes and open the folder again."""
    with SkeletonWriter(out, 'tiny', 'kinect20', ['walk', 'run'], num_persons, **options) as writer:
        for index, (name, keypoint) in enumerate(clips.items()):
            writer.add(name, index % 2, keypoint)
        counts = writer.finish(splits or {'all': list(clips)})
    return counts, open_skeleton_folder(out, 'no matter')


def read(folder, name):
    """[M, T, V, C] of one clip."""
    return folder.read(folder.names.tolist().index(name))


def test_the_version_of_prepared_data_stays(tmp_path):
    """Results carry the hash of this file: other bytes of its header would be other data."""
    keypoint = np.arange(120, dtype=np.float32).reshape(1, 2, 20, 3) + 1
    _, folder = write(tmp_path / 'out', {'a': keypoint}, num_persons=1)
    header = (tmp_path / 'out' / 'skeletons.npy').read_bytes()[:128]
    assert header.rstrip().endswith(b"'shape': (2, 1, 20, 3)}") and header.endswith(b' \n')
    assert folder.sha256[:16] == 'cd25efe1c1bffebf'


def test_files_beside_the_coordinates(tmp_path, capsys):
    clips = {'a': clip(frames=1), 'b': clip(frames=4), 'c': clip(2, 6)}
    clips['c'][0, 0, 5] = 0  # a joint that is not seen
    clips['c'][1, 1] = 0  # a person that is not seen for one frame: no missing joints
    splits = {'xsub_train': ['b', 'gone', 'a'], 'xsub_test': ['c'], 'none': ['gone']}
    counts, folder = write(tmp_path, clips, splits=splits)
    assert counts == {'clips': 3, 'xsub_train': 2, 'xsub_test': 1, 'left_out': 0}
    assert lines(tmp_path / 'xsub_train.txt') == ['b 1', 'a 0']
    assert lines(tmp_path / 'classes.txt') == ['walk', 'run']
    assert not (tmp_path / 'none.txt').exists()
    meta = json.loads((tmp_path / 'meta.json').read_text())
    assert meta.pop('sha256') == sha256_of_file(tmp_path / 'skeletons.npy') == folder.sha256
    expected = dict(format=1, dataset='tiny', layout='kinect20', classes=2)
    assert meta == dict(expected, lists=['xsub_train', 'xsub_test'])
    told = capsys.readouterr().out
    assert '1 to 6 frames (median 4), 0.31 % of joints missing' in told  # 1 of 20 * (1 + 4 + 6 + 5)


def test_the_lists_of_an_earlier_split_go(tmp_path):
    clips = {'a': clip(), 'b': clip()}
    write(tmp_path, clips, splits={'train': ['a'], 'test': ['b']})
    (tmp_path / 'mine.txt').write_text('a 0\n')
    write(tmp_path, clips, splits={'xsub_train': ['b'], 'xsub_test': ['a']})
    kept = ['classes', 'left_out', 'mine', 'xsub_test', 'xsub_train']
    assert sorted(path.stem for path in tmp_path.glob('*.txt')) == kept
    assert lines(tmp_path / 'xsub_train.txt') == ['b 1']


def test_copies_of_training_clips_are_told_and_left_out_of_a_second_list(tmp_path, capsys):
    clips = {name: clip(seed=seed) for name, seed in zip('abcd', (0, 1, 0, 2))}
    splits = {'xsub_train': ['a', 'b'], 'xsub_test': ['c', 'd'], 'xview_test': ['a', 'c']}
    counts, _ = write(tmp_path, clips, splits=splits)
    assert lines(tmp_path / 'xsub_test.txt') == ['c 0', 'd 1']
    assert lines(tmp_path / 'xsub_test_unseen.txt') == ['d 1'] and counts['xsub_test_unseen'] == 1
    assert not (tmp_path / 'xview_test_unseen.txt').exists(), 'no xview_train'
    assert '1 of the 2 clips of xsub_test are copies of training clips' in capsys.readouterr().out
    write(tmp_path, clips, splits={'xsub_train': ['a'], 'xsub_test': ['d']})
    assert not (tmp_path / 'xsub_test_unseen.txt').exists(), 'of the earlier split'


@pytest.mark.parametrize('meta', ['', '[]', '{"lists": 3}', '{"lists": ["../mine", "x"]}'])
def test_meta_data_that_name_no_list_of_the_folder(tmp_path, meta):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'meta.json').write_text(meta)
    (tmp_path / 'mine.txt').touch()
    write(tmp_path / 'out', {'a': clip()})
    assert (tmp_path / 'mine.txt').exists() and lines(tmp_path / 'out' / 'all.txt') == ['a 0']


def test_frames_of_no_use_are_taken_out(tmp_path, capsys):
    keypoint = clip(2, 6)
    keypoint[0, 1, 3, 2] = np.nan
    keypoint[1, 4, 0, 0] = np.inf
    keypoint[:, 2] = 0  # nobody
    keypoint[0, 3] = 0  # only the second person
    _, folder = write(tmp_path, {'a': keypoint})
    np.testing.assert_array_equal(read(folder, 'a'), keypoint[:, [0, 3, 5]].astype(np.float32))
    told = capsys.readouterr().out
    assert '2 frames left out: not finite' in told and '1 frames left out: nobody seen' in told


def test_persons_that_are_absent_come_last(tmp_path):
    keypoint = clip(3, 4)
    keypoint[[0, 2]] = 0
    _, folder = write(tmp_path, {'a': keypoint}, num_persons=3)
    np.testing.assert_array_equal(read(folder, 'a')[0], keypoint[1].astype(np.float32))
    assert not read(folder, 'a')[1:].any()


@pytest.mark.parametrize(
    ('keypoint', 'reason'),
    [
        (np.full((1, 3, 20, 3), np.nan), 'every frame with a person has a coordinate that is not'),
        (np.zeros((2, 3, 20, 3)), 'nobody is seen in any frame'),
        (np.ones((1, 0, 20, 3)), 'no frames'),
        (np.ones((0, 3, 20, 3)), 'shape [0, 3, 20, 3] is not a skeleton'),
        (np.ones((3, 3, 20, 3)), 'the set has 2 persons at most and 3 coordinates'),
        (np.ones((1, 3, 20, 2)), 'the set has 2 persons at most and 3 coordinates'),
        (np.full((1, 3, 20, 3), 'x'), 'is not a skeleton'),
        (np.ones((1, 3, 25, 3)), 'shape [1, 3, 25, 3] is not a skeleton of layout kinect20'),
    ],
)
def test_clips_of_no_use_are_left_out_with_the_reason(tmp_path, keypoint, reason):
    counts, folder = write(tmp_path, {'bad': keypoint, 'good': clip()})
    assert counts == {'clips': 1, 'all': 1, 'left_out': 1}
    assert folder.names.tolist() == ['good'] and lines(tmp_path / 'all.txt') == ['good 1']
    name, said = lines(tmp_path / 'left_out.txt')[0].split('\t')
    assert name == 'bad' and reason in said
    with pytest.raises(DataError, match='tiny has no usable clip; bad: '):
        write(tmp_path / 'none', {'bad': keypoint})


@pytest.mark.parametrize(
    ('name', 'label', 'message'),
    [
        ('a b', 0, "clip name 'a b' is empty or has blanks"),
        ('a', 0, "clip name 'a' comes twice"),
        ('b', 2, 'label 2 of b is not one of 2 classes from 0'),
        ('b', -2, 'label -2 of b is not one of 2 classes from 0'),
    ],
)
def test_names_and_labels_that_cannot_be_written(tmp_path, name, label, message):
    with SkeletonWriter(tmp_path, 'tiny', 'kinect20', ['walk', 'run'], 1) as writer:
        writer.add('a', 0, clip())
        with pytest.raises(DataError, match=message):
            writer.add(name, label, clip())


def test_a_clip_may_have_no_label(tmp_path, capsys):
    with SkeletonWriter(tmp_path, 'tiny', 'kinect20', ['walk', 'run'], 1) as writer:
        for name, label in (('a', 1), ('b', -1)):
            writer.add(name, label, clip())
        writer.finish({'all': ['b', 'a']})
    assert lines(tmp_path / 'all.txt') == ['b', 'a 1']
    folder = open_skeleton_folder(tmp_path, '')
    assert folder.labels.tolist() == [1, -1]
    told = capsys.readouterr().out
    assert '1 of 2 clips have no label' in told
    assert "1 of 2 classes have no labeled clip: 'walk'" in told


def test_an_interrupted_preparation_is_seen_as_one(tmp_path):
    write(tmp_path, {'a': clip()})
    with (
        pytest.raises(ZeroDivisionError),
        SkeletonWriter(tmp_path, 'tiny', 'kinect20', ['walk'], 1) as writer,
    ):
        writer.add('a', 0, clip())
        raise ZeroDivisionError
    with pytest.raises(DataError, match=r'meta\.json is missing, the folder is incomplete'):
        open_skeleton_folder(tmp_path, 'prepare it again')
    assert not list(tmp_path.glob('.*'))
