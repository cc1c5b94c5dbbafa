"""Inputs of the inferencers."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from mmact_ssl.apis.clips import find_clips
from mmact_ssl.errors import DataError
from mmact_ssl.preparation.custom import prepare as prepare_custom
from mmact_ssl.preparation.pose_pickles import prepare as prepare_pickle
from mmact_ssl.preparation.skeletons import SkeletonWriter

CLIPS = np.random.default_rng(0).normal(size=(2, 6, 1, 20, 3)).astype(np.float32)  # (N, T, M, V, C)


def write_table(path: Path, order: list[int]) -> None:
    names = np.array(['a', 'b'])[order]
    np.savez(path, keypoints=np.concatenate(CLIPS[order]), lengths=[6, 6], names=names)


def write_folder(path: Path, order: list[int]) -> None:
    shutil.rmtree(path, ignore_errors=True)
    with SkeletonWriter(path, 'made', 'kinect20', ['wave'], 1) as writer:
        for number in order:
            writer.add('ab'[number], 0, CLIPS[number].transpose(1, 0, 2, 3))
        writer.finish({'train': ['a', 'b']})


@pytest.mark.parametrize('name, write', [('clips.npz', write_table), ('folder', write_folder)])
def test_content_that_was_replaced_is_read_anew(tmp_path, name, write):
    for order in ([0, 1], [1, 0]):
        write(tmp_path / name, order)
        for clip in find_clips(tmp_path / name, 'skeleton', 'kinect20'):
            expected = CLIPS['ab'.index(clip.name[-1])].transpose(1, 0, 2, 3)
            np.testing.assert_array_equal(clip.read()['keypoint'], expected)


def test_joined_clips_are_never_one_clip(tmp_path):
    arrays = dict(keypoints=np.concatenate(CLIPS), lengths=[6, 6], names=['a', 'b', 'c'])
    np.savez(tmp_path / 'clips.npz', **arrays)
    (clip,) = find_clips(tmp_path / 'clips.npz', 'skeleton', 'kinect20')
    with pytest.raises(DataError, match=r'lengths has shape \[2\]; give one for each of 3'):
        clip.read()


def through(door: str, clip: np.ndarray, folder: Path, told: str = '') -> np.ndarray:
    """Pass a clip ``(M, T, V=17, C)``, whose coordinates may be told, through one of the doors."""
    if door == 'pickle':
        annotation = dict(frame_dir='a', label=0, keypoint=clip)
        (folder / 'a.pkl').write_bytes(pickle.dumps([annotation]))
        prepare_pickle(folder / 'a.pkl', folder / 'out', 'coco17', min(len(clip), 2), told)
    else:
        table = dict(names=np.array(['a']), labels=np.array([0]), lengths=np.array([clip.shape[1]]))
        np.save(folder / 'a.npy', clip)
        np.savez(folder / 'a.npz', clip=clip)
        np.savez(folder / 'many.npz', keypoints=clip.transpose(1, 0, 2, 3), **table)
        if door not in ('custom', 'mirrored'):
            source = clip if door == 'array' else str(folder / door)
            return find_clips(source, 'skeleton', 'coco17', told)[0].read()['keypoint']
        mirrored = door == 'mirrored'
        prepare_custom(folder / 'many.npz', folder / 'out', 'coco17', told, left_handed=mirrored)
    return np.load(folder / 'out' / 'skeletons.npy').transpose(1, 0, 2, 3)


DOORS = ('array', 'a.npy', 'a.npz', 'many.npz', 'custom', 'pickle')
RANDOM = np.random.default_rng(0)
# Smallest and largest x, y and third value: pixels with scores 0..1, scores of RTMPose and logits;
# fractions of the picture with scores; a Kinect's meters; millimeters; joints in a plane.
THREE = [(0, 640, 0, 1), (0, 640, 0, 8), (0, 640, -3, 9), (0, 1, 0, 1), (-1, 1, 0, 1)]
THREE += [(-1, 1, 2, 4), (-900, 900, -900, 900), (-1, 1, 0, 0)]


@pytest.mark.parametrize('dtype', [np.float16, np.float64])
@pytest.mark.parametrize(('low', 'high', 'least', 'most'), THREE)
@pytest.mark.parametrize('door', DOORS)
def test_every_door_asks_for_what_a_third_value_is(tmp_path, door, low, high, least, most, dtype):
    clip = RANDOM.uniform([low, low, least], [high, high, most], (1, 6, 17, 3)).astype(dtype)
    with pytest.raises(DataError, match='x, y, depth; x, y, score; or y, x, score.* xyz, xyc'):
        through(door, clip, tmp_path)
    plain = clip.astype(np.float32)
    np.testing.assert_array_equal(through(door, clip, tmp_path, 'xyz'), plain)
    np.testing.assert_array_equal(through(door, clip, tmp_path, 'xy'), plain[..., :2])
    if most:
        seen = np.where(plain[..., 2:] > 0, plain[..., :2], 0)
        np.testing.assert_array_equal(through(door, clip, tmp_path, 'xyc'), seen)


@pytest.mark.parametrize('door', DOORS)
def test_every_door_asks_whose_the_first_axis_is(tmp_path, door):
    for first, last in ((3, 2), (2, 3), (2, 2), (3, 1)):
        clip = RANDOM.normal(size=(first, 6, 17, last)).astype(np.float32)
        with pytest.raises(DataError, match="may be .persons, .* or ST-GCN's .coordinates, .* xyz"):
            through(door, clip, tmp_path)
    joint = RANDOM.normal(size=(2, 6, 17, 3)).astype(np.float32)  # two persons in space
    joint[1] = joint[1, :1]  # moves least
    for clip in (joint, joint.transpose(3, 1, 2, 0)):
        np.testing.assert_array_equal(through(door, clip, tmp_path, 'xyz'), joint)
    with pytest.raises(DataError, match='has no axis for xyc'):
        through(door, joint[..., :2], tmp_path, 'xyc')


@pytest.mark.parametrize('door', (*DOORS, 'mirrored'))
def test_every_door_leaves_out_the_same_frames(tmp_path, door):
    clip = np.random.default_rng(0).normal(0, 1, (2, 6, 17, 3)).astype(np.float32)
    clip[1] = 0.1 * clip[1] + clip[1, :1]  # a pickle's persons come in the order of their motion
    clip[:, 2] = 0
    clip[0, :2] = 0
    frames = [0, 1, 3, 4, 5]
    if door in ('array', 'a.npy', 'a.npz', 'pickle'):  # a table is refused, see test_custom.py
        clip[1, frames.pop(3), 3, 1] = np.nan
    expected = clip[:, frames] * np.float32([1, 1, -1 if door == 'mirrored' else 1])
    np.testing.assert_array_equal(through(door, clip, tmp_path, 'xyz'), expected)
