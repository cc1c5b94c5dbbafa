"""UTD-MHAD (Chen et al. 2015): Kinect skeletons, and depth video with the projected skeletons."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.io import loadmat

from mmact_ssl.errors import DataError
from mmact_ssl.io.files import path_inside, reading
from mmact_ssl.preparation.custom import REQUIRED, read_clips
from mmact_ssl.preparation.files import Video, probe_videos, require, write_videos
from mmact_ssl.preparation.poses import project_joints, write_poses
from mmact_ssl.preparation.skeletons import SkeletonWriter

SETS = {'utdmhad': 'UTD-MHAD: depth video with skeletons, 27 actions'}
_NAMES = """
swipe left, swipe right, wave, clap, throw, cross arms, basketball shoot, draw x, draw circle
clockwise, draw circle counter clockwise, draw triangle, bowling, boxing, baseball swing, tennis
swing, arm curl, tennis serve, push, knock, catch, pick up and throw, jog, walk, sit to stand, stand
to sit, lunge, squat
"""
CLASSES = tuple(' '.join(name.split()) for name in _NAMES.split(','))

# UTD-MHAD lists head, neck, spine and hips from the top; Kinect v1 from the bottom.
KINECT_ORDER = (3, 2, 1, 0, *range(4, 20))
MAT_NAME = re.compile(r'(?P<name>a(?P<action>\d+)_s(?P<subject>\d+)_t\d+)_skeleton')
# Depth video, in pixels. With these values 97 % of the projected joints fall on the silhouette.
SIZE = (160, 120)
FOCAL, CENTER = 130.0, (79.0, 60.0)


def prepare(source: Path, out: Path, placement: str = 'copy') -> dict[str, int]:
    """Write the skeletons and, if there is depth video, the videos and projected poses.

    Odd subjects are for training, even ones for testing.

    Args:
        source: Folder with ``utd_mhad_skeleton.npz`` (``names``, ``labels``, ``subjects``,
            ``lengths``, ``keypoints`` float (sum(lengths), 20, 3) in the set's own joint order,
            meters) and ``depth_videos/a*_s*_t*.mp4`` (160x120); or, for skeletons only, with the
            downloaded ``Skeleton/a*_s*_t*_skeleton.mat``.
        out: Folder to write ``skeleton/`` (a prepared skeleton folder with ``xsub_train.txt`` and
            ``xsub_test.txt``, layout kinect20) and, for the videos, ``videos/``, ``train.txt``,
            ``test.txt``, ``classes.txt`` and ``poses.npz`` (layout kinect20) to.
        placement: 'copy' (byte-identical) or 'link', for the videos.
    """
    fix = 'point --source at a folder with depth_videos/ and utd_mhad_skeleton.npz, or Skeleton/'
    require(source, fix)
    if (source / 'Skeleton').is_dir():
        return {'skeletons': _write_skeletons(_read_mat_files(source / 'Skeleton'), out)}
    folder = require(source / 'depth_videos', fix)
    file = require(source / 'utd_mhad_skeleton.npz', fix)
    table, found = read_clips(file, (*REQUIRED, 'labels', 'subjects'), 'xyz')
    numbers = table['labels'].tolist(), table['subjects'].tolist()
    skeletons = [clip[0][:, KINECT_ORDER] for clip in found.values()]
    clips = [Clip(*row) for row in zip(found, *numbers, skeletons)]
    paths = [
        require(path_inside(folder, f'{clip.name}.mp4', source), 'fetch the data set again')
        for clip in clips
    ]
    left_out = probe_videos(paths)

    splits: dict[str, list[Video]] = {'train': [], 'test': []}
    poses = {}
    for path, clip in zip(paths, clips):
        if path not in left_out:
            video = Video(path, f'videos/{path.name}', clip.label)
            splits['train' if clip.subject % 2 else 'test'].append(video)
            poses[video.name] = project_joints(clip.skeleton, FOCAL, CENTER, SIZE)
    counts = write_videos(source, out, splits, CLASSES, left_out, placement)
    if poses:
        write_poses(out / 'poses.npz', poses, layout='kinect20')
    return {**counts, 'skeletons': _write_skeletons(clips, out)}


class Clip(NamedTuple):
    """A clip and its skeleton."""

    name: str
    label: int
    subject: int
    skeleton: np.ndarray  # (T, V=20, 3) in Kinect v1 order, meters


def _read_mat_files(folder: Path) -> list[Clip]:
    clips = []
    for path in sorted(folder.glob('*_skeleton.mat')):
        if not (match := MAT_NAME.fullmatch(path.stem)):
            raise DataError(f'{path}: not named aA_sS_tT_skeleton.mat; remove it')
        with reading(path, 'it needs d_skel [20, 3, T]; fetch it again'):
            skeleton = loadmat(path, variable_names=['d_skel'])['d_skel']
            if skeleton.shape[:2] != (20, 3):
                raise ValueError(f'its shape is {list(skeleton.shape)}')
            skeleton = skeleton.transpose(2, 0, 1)[:, KINECT_ORDER]
        clips.append(Clip(match['name'], int(match['action']) - 1, int(match['subject']), skeleton))
    if not clips:
        raise DataError(f'{folder}: no aA_sS_tT_skeleton.mat in it; fetch the data set again')
    return clips


def _write_skeletons(clips: Sequence[Clip], out: Path) -> int:
    """Write ``skeleton/`` and return its number of clips."""
    splits: dict[str, list[str]] = {'xsub_train': [], 'xsub_test': []}
    with SkeletonWriter(out / 'skeleton', 'UTD-MHAD', 'kinect20', CLASSES, num_persons=1) as writer:
        for clip in clips:
            writer.add(clip.name, clip.label, clip.skeleton[None])
            splits['xsub_train' if clip.subject % 2 else 'xsub_test'].append(clip.name)
        return writer.finish(splits)['clips']
