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


def through(door: str, clip: np.ndarray, folder: Path) -> np.ndarray:
    """Pass a clip ``(M, T, V=17, C)`` through one of the doors."""
    if door == 'pickle':
        annotation = dict(frame_dir='a', label=0, keypoint=clip)
        (folder / 'a.pkl').write_bytes(pickle.dumps([annotation]))
        prepare_pickle(folder / 'a.pkl', folder / 'out', 'coco17')
    else:
        table = dict(names=np.array(['a']), labels=np.array([0]), lengths=np.array([6]))
        np.save(folder / 'a.npy', clip)
        np.savez(folder / 'a.npz', clip=clip)
        np.savez(folder / 'many.npz', keypoints=clip.transpose(1, 0, 2, 3), **table)
        if door not in ('custom', 'mirrored'):
            source = clip if door == 'array' else str(folder / door)
            return find_clips(source, 'skeleton', 'coco17')[0].read()['keypoint']
        mirrored = door == 'mirrored'
        prepare_custom(folder / 'many.npz', folder / 'out', 'coco17', left_handed=mirrored)
    return np.load(folder / 'out' / 'skeletons.npy').transpose(1, 0, 2, 3)


DOORS = ('array', 'a.npy', 'a.npz', 'many.npz', 'custom', 'mirrored', 'pickle')


@pytest.mark.parametrize('door', DOORS)
def test_every_door_refuses_scores(tmp_path, door):
    scores = np.random.default_rng(0).uniform(0, 1, (1, 6, 17, 3)) * [640, 480, 1]
    with pytest.raises(DataError, match='third value of the key points is a score'):
        through(door, scores, tmp_path)


@pytest.mark.parametrize('door', DOORS)
def test_every_door_leaves_out_the_same_frames(tmp_path, door):
    clip = np.random.default_rng(0).normal(0, 1, (2, 6, 17, 3)).astype(np.float32)
    clip[:, 2] = 0
    clip[1, 4, 3, 1] = np.nan
    clip[0, :2] = 0
    clip[0] *= 3  # a pickle's persons come in the order of their motion
    expected = clip[:, [0, 1, 3, 5]] * np.float32([1, 1, -1 if door == 'mirrored' else 1])
    np.testing.assert_array_equal(through(door, clip, tmp_path), expected)
