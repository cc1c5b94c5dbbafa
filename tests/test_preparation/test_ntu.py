"""NTU RGB+D's .skeleton files: reading, choosing persons, official splits, damaged files."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from mmact_ssl.preparation.ntu import (
    CLASSES,
    TRAIN_SUBJECTS_60,
    TRAIN_SUBJECTS_120,
    plausible_tracks,
    prepare,
    read_tracks,
    splits_of,
)
from tests.test_preparation.helpers import lines


def skeleton_text(frames):
    """The text of a file.

    Args:
        frames: One dict {number of the body: (25, 3)} a frame.
    """
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for identity, joints in bodies.items():
            lines += [f'{identity} 0 1 1 1 1 0 -0.1 0.2 2', '25']
            rest = '254.9 203.1 1037.3 519.5 -0.2 0.05 0.96 -0.04 2'
            lines += [f'{x:.6f} {y:.6f} {z:.6f} {rest}' for x, y, z in joints]
    return '\n'.join(lines) + '\n'


def body(seed=0, width=0.3, height=1.7, frames=1):
    """A person's joints, (25, 3) or (frames, 25, 3) with some motion; a few decimals."""
    rng = np.random.default_rng(seed)
    joints = rng.uniform(0, 1, (1, 25, 3)) * (width, height, 0.2) + (0.1, 0.1, 2)
    joints = (joints + rng.normal(0, 0.01, (frames, 25, 3))).round(5)
    return joints[0] if frames == 1 else joints


# Two numbers that a float of 64 bits cannot tell apart.
FIRST, SECOND = '72057594037931101', '72057594037931102'


def test_bodies_are_told_apart_over_the_frames():
    a, b = body(1, frames=4), body(2, frames=4)
    text = skeleton_text([{FIRST: a[0]}, {}, {SECOND: b[2], FIRST: a[2]}, {SECOND: b[3]}])
    tracks = read_tracks(text)
    assert tracks.shape == (2, 4, 25, 3) and tracks.dtype == np.float32
    expected = np.zeros((2, 4, 25, 3), np.float32)
    expected[0, [0, 2]], expected[1, [2, 3]] = a[[0, 2]], b[[2, 3]]
    np.testing.assert_array_equal(tracks, expected)


WHOLE = skeleton_text([{FIRST: body(1)}, {FIRST: body(2)}])


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('', 'the file is cut short'),
        (WHOLE[: len(WHOLE) // 2].rsplit('\n', 1)[0], 'the file is cut short'),
        (WHOLE + '1\n', '1 numbers are left over after 2 frames'),
        (WHOLE.replace('\n25\n', '\n20\n', 1), 'a body of 20 joints in frame 0'),
        (WHOLE.replace('254.9', 'x', 1), "could not convert string to float: 'x'"),
    ],
)
def test_a_damaged_file_says_how(text, reason):
    with pytest.raises(ValueError, match=reason):
        read_tracks(text)


def slow_is_wide(frame):
    x, y, _ = frame.T
    return x.max() - x.min() > 0.8 * (y.max() - y.min())


def test_noise_is_left_out_while_a_person_is_left():
    person, seat = body(1, frames=20), body(2, width=1.5, height=0.5, frames=20)
    assert all(map(slow_is_wide, seat)) and not any(map(slow_is_wide, person))
    short = np.where(np.arange(20)[:, None, None] < 11, body(3, frames=20), 0)
    turning = np.where(np.arange(20)[:, None, None] < 13, seat, person)  # wide in 65 % of frames
    found = plausible_tracks(np.stack([seat, person, short, turning]))
    np.testing.assert_array_equal(found, np.stack([person, turning]))
    for only in (seat, short):
        np.testing.assert_array_equal(plausible_tracks(only[None]), only[None])


def write(folder, clips):
    folder.mkdir(parents=True, exist_ok=True)
    for name, frames in clips.items():
        (folder / f'{name}.skeleton').write_text(skeleton_text(frames))
    return folder


def frames_of(seed):
    return [{FIRST: joints} for joints in body(seed, frames=3)]


CLIPS = {
    'S001C001P001R001A001': frames_of(0),  # xsub train, xview test, xset test
    'S002C002P003R001A060': frames_of(1),  # xsub test, xview train, xset train
    'S018C001P045R001A061': frames_of(2),  # of the 120 alone: xsub train, xset train
}


def test_the_60_actions(tmp_path):
    clips = {**CLIPS, 'S003C003P001R002A002': [{FIRST: body(5)}, {}, {FIRST: body(6)}]}
    clips['S003C003P001R002A003'] = [{}, {}]
    counts = prepare(write(tmp_path / 'in', clips), tmp_path / 'out')
    assert counts['clips'] == 3 and counts['left_out'] == 1
    out = tmp_path / 'out'
    assert lines(out / 'xsub_train.txt') == ['S001C001P001R001A001 0', 'S003C003P001R002A002 1']
    assert lines(out / 'xsub_test.txt') == ['S002C002P003R001A060 59']
    assert lines(out / 'xview_train.txt') == ['S002C002P003R001A060 59', 'S003C003P001R002A002 1']
    assert lines(out / 'xview_test.txt') == ['S001C001P001R001A001 0']
    assert lines(out / 'left_out.txt') == ['S003C003P001R002A003\tno body in any frame']
    assert lines(out / 'classes.txt') == list(CLASSES[:60])
    with np.load(out / 'clips.npz') as table:
        assert table['lengths'].tolist() == [3, 3, 2]
    coordinates = np.load(out / 'skeletons.npy')
    expected = np.stack([one[FIRST] for one in CLIPS['S001C001P001R001A001']])
    np.testing.assert_array_equal(coordinates[:3, 0], expected.astype(np.float32))
    assert coordinates.shape == (8, 2, 25, 3) and not coordinates[:, 1].any()


def test_the_120_actions_from_archives(tmp_path):
    write(tmp_path / 'unpacked', CLIPS)
    (tmp_path / 'in').mkdir()
    for number, chosen in ((1, 'S00*'), (2, 'S01*')):
        with zipfile.ZipFile(tmp_path / 'in' / f'nturgbd_{number}.zip', 'w') as archive:
            for path in (tmp_path / 'unpacked').glob(chosen):
                archive.write(path, f'nturgb+d_skeletons/{path.name}')
    prepare(tmp_path / 'in', tmp_path / 'out', 'ntu120')
    out = tmp_path / 'out'
    assert lines(out / 'xset_train.txt') == ['S002C002P003R001A060 59', 'S018C001P045R001A061 60']
    assert lines(out / 'xset_test.txt') == ['S001C001P001R001A001 0']
    assert lines(out / 'xsub_train.txt') == ['S001C001P001R001A001 0', 'S018C001P045R001A061 60']
    assert len(lines(out / 'classes.txt')) == 120


def test_listed_and_damaged_samples_are_left_out(tmp_path):
    source = write(tmp_path / 'in', CLIPS)
    (source / 'S001C003P001R001A004.skeleton').write_text(WHOLE[:700])
    listed = tmp_path / 'missing.txt'
    listed.write_text('302 samples are incomplete.\n\nS002C002P003R001A060\n')
    assert prepare(source, tmp_path / 'out', missing=listed)['clips'] == 1
    assert lines(tmp_path / 'out' / 'left_out.txt') == [
        'S001C003P001R001A004\tthe file is cut short',
        'S002C002P003R001A060\ton the list of missing skeletons',
    ]


def test_the_splits_have_the_published_sizes():
    assert len(TRAIN_SUBJECTS_60) == 20 and max(TRAIN_SUBJECTS_60) <= 40
    assert len(TRAIN_SUBJECTS_120) == 53 and max(TRAIN_SUBJECTS_120) <= 106
    assert len(CLASSES) == len(set(CLASSES)) == 120
    assert [CLASSES[i] for i in (22, 57, 119)] == ['wave', 'shake hands', 'rock-paper-scissors']
    assert splits_of({'setup': 2, 'camera': 1, 'subject': 103}, 120) == ('xsub_train', 'xset_train')
    assert splits_of({'setup': 2, 'camera': 1, 'subject': 40}, 60) == ('xsub_test', 'xview_test')
