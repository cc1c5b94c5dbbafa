"""Inputs of the inferencers."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from mmact_ssl.apis.clips import find_clips
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
