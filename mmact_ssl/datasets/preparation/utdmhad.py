# SPDX-License-Identifier: Apache-2.0
"""UTD-MHAD (Chen et al. 2015): depth video with Kinect skeletons projected into it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.progress import track

from mmact_ssl.datasets.preparation.files import (
    place_video,
    probe_videos,
    report_left_out,
    require,
    write_annotation,
    write_lines,
)
from mmact_ssl.datasets.preparation.poses import write_poses
from mmact_ssl.errors import DataError

CLASSES = (
    'swipe left',
    'swipe right',
    'wave',
    'clap',
    'throw',
    'cross arms',
    'basketball shoot',
    'draw x',
    'draw circle clockwise',
    'draw circle counter clockwise',
    'draw triangle',
    'bowling',
    'boxing',
    'baseball swing',
    'tennis swing',
    'arm curl',
    'tennis serve',
    'push',
    'knock',
    'catch',
    'pick up and throw',
    'jog',
    'walk',
    'sit to stand',
    'stand to sit',
    'lunge',
    'squat',
)

# UTD-MHAD lists the trunk from the head down; Kinect v1 counts it from the hips up.
KINECT_ORDER = (3, 2, 1, 0, *range(4, 20))
# Of the 160x120 depth video, in pixels: 97 % of projected joints then fall on the silhouette.
WIDTH, HEIGHT = 160, 120
FOCAL, CENTRE_X, CENTRE_Y = 130.0, 79.0, 60.0


def project_skeleton(skeleton: np.ndarray) -> np.ndarray:
    """Project Kinect joints into the depth video.

    Args:
        skeleton: float [T, V=20, 3], metres: x to the right of the image, y up, z depth (> 0).

    Returns:
        np.ndarray: float32 [T, V=20, 3]: x, y as fractions of the frame, score 1 (0 for a joint
        without depth).
    """
    x, y, z = np.moveaxis(np.asarray(skeleton, np.float64), -1, 0)
    known = z > 0
    depth = np.where(known, z, 1.0)
    pose = np.stack(
        [
            (FOCAL * x / depth + CENTRE_X) / WIDTH,
            (CENTRE_Y - FOCAL * y / depth) / HEIGHT,
            np.ones_like(depth),
        ],
        axis=-1,
    )
    return np.where(known[..., None], pose, 0.0).astype(np.float32)


def prepare_utdmhad(source: Path, out: Path, placement: str = 'copy') -> dict[str, int]:
    """Copy the depth videos, project the skeletons, and split odd against even subjects.

    Args:
        source: folder with ``depth_videos/a*_s*_t*.mp4`` (160x120) and ``utd_mhad_skeleton.npz``
            (``names``, ``labels``, ``subjects``, ``lengths``, ``keypoints`` float
            [sum(lengths), 20, 3] in the set's own joint order, metres).
        out: folder to write ``videos/``, ``train.txt`` (odd subjects), ``test.txt`` (even
            subjects), ``classes.txt`` and ``poses.npz`` (layout kinect20) to.
        placement: 'copy' (byte-identical) or 'link'.

    Returns:
        dict: number of videos per split and of videos left out.

    Raises:
        DataError: if a part of the source is missing or the lengths do not add up.
    """
    mend = 'point --source at a folder with depth_videos/ and utd_mhad_skeleton.npz'
    require(source, mend)
    folder = require(source / 'depth_videos', mend)
    skeleton_file = require(source / 'utd_mhad_skeleton.npz', mend)
    with np.load(skeleton_file, allow_pickle=False) as table:
        names, labels, subjects = table['names'], table['labels'], table['subjects']
        lengths, keypoints = table['lengths'], table['keypoints']
    if lengths.sum() != len(keypoints):
        raise DataError(
            f'{skeleton_file}: lengths add up to {lengths.sum()}, not to the '
            f'{len(keypoints)} frames of keypoints; fetch the data set again'
        )
    sources = [require(folder / f'{name}.mp4', 'fetch the data set again') for name in names]
    bad = probe_videos(sources)

    starts = np.cumsum([0, *lengths])
    splits: dict[str, list[tuple[str, int | None]]] = {'train': [], 'test': []}
    poses, left_out = {}, {}
    for path, label, subject, start, length in track(
        list(zip(sources, labels, subjects, starts, lengths)), f'{placement} videos'
    ):
        name = f'videos/{path.name}'
        if path in bad:
            left_out[f'depth_videos/{path.name}'] = bad[path]
            continue
        place_video(path, out / name, placement)
        splits['train' if subject % 2 else 'test'].append((name, int(label)))
        poses[name] = project_skeleton(keypoints[start : start + length][:, KINECT_ORDER])
    for split, entries in splits.items():
        write_annotation(out / f'{split}.txt', entries)
    write_lines(out / 'classes.txt', CLASSES)
    if poses:
        write_poses(out / 'poses.npz', poses, layout='kinect20')
    report_left_out(out, left_out)
    return {split: len(entries) for split, entries in splits.items()} | {'left_out': len(left_out)}
