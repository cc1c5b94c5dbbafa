"""Skeleton clips of one data worker, against mmaction2's PoseDataset.

mmaction2's pipeline is that of its ST-GCN configs for NTU RGB+D in 3D: clips in the axes of the
body (PreNormalize3D), 64 frames of each, two persons. Ours does the same; ``with augmentation`` is
C2VL's recipe, which also crops and warps time, rotates, shears, scales, jitters and masks. Clips
have random coordinates and lengths like those of NTU RGB+D 60 (mean 80 frames).
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from interleave import compare
from made_data import draw_lengths, write_skeletons
from mmengine.registry import DefaultScope

from mmact_ssl.datasets import SkeletonDataset

TARGET = 5.0
FRAMES = 64
NORMALIZED = [dict(type='TemporalCrop', area=(1.0, 1.0), num_frames=FRAMES)]
AUGMENTED = [
    dict(type='TemporalCrop', area=(0.5, 1.0), num_frames=FRAMES, warp=0.3),
    dict(type='RandomRotation', degrees=(30, 180, 30)),
    dict(type='RandomShear', amplitude=0.3),
    dict(type='RandomScale', amplitude=0.1),
    dict(type='JointJitter', deviation=0.01, clip_deviation=0.02),
    dict(type='JointMask', fraction=(0.1, 0.3)),
]
MMACTION2 = [
    dict(type='PreNormalize3D'),
    dict(type='GenSkeFeat', dataset='nturgb+d', feats=['j']),
    dict(type='UniformSampleFrames', clip_len=FRAMES),
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=2),
    dict(type='PackActionInputs'),
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--clips', type=int, default=64, help='of the set, one round')
    parser.add_argument('--rounds', type=int, default=5)


def ours(folder: Path, transforms: list[dict]) -> Callable[[int], list[int]]:
    """All clips of a prepared folder through one view."""
    pipeline = [
        dict(type='NormalizeSkeleton'),
        dict(type='MakeSkeletonViews', views=dict(clip=transforms)),
        dict(type='PackInputs', views=('clip',)),
    ]
    data_set = SkeletonDataset(
        str(folder / 'train.txt'), pipeline, data_prefix=dict(skeleton=str(folder))
    )

    def run(number: int) -> list[int]:
        data_set.set_progress(0, number)
        samples = [data_set[index] for index in range(len(data_set))]
        return list(samples[0]['inputs']['clip'].shape)

    return run


def mmaction2(folder: Path) -> Callable[[int], list[int]]:
    """The same clips through PoseDataset."""
    from mmaction.datasets import PoseDataset

    with DefaultScope.overwrite_default_scope('mmaction'):
        data_set = PoseDataset(str(folder / 'clips.pkl'), MMACTION2)

    def run(number: int) -> list[int]:
        samples = [data_set[index] for index in range(len(data_set))]
        return list(samples[0]['inputs'][0].shape)

    return run


def write_pickle(folder: Path) -> None:
    """Write the clips of a prepared folder for PoseDataset."""
    data_set = SkeletonDataset(
        str(folder / 'train.txt'), [], data_prefix=dict(skeleton=str(folder))
    )
    keys = ('keypoint', 'total_frames', 'frame_dir', 'label')
    clips = [{key: data_set[index][key] for key in keys} for index in range(len(data_set))]
    (folder / 'clips.pkl').write_bytes(pickle.dumps(clips))


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Compare the pipelines."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lengths = draw_lengths(args.clips)
        write_skeletons(folder, lengths, 'ntu25', 2)
        write_pickle(folder)
        ways = {
            'ours': partial(ours, folder, NORMALIZED),
            'ours, with augmentation': partial(ours, folder, AUGMENTED),
            'mmaction2': partial(mmaction2, folder),
        }
        title = f'{args.clips} skeleton clips, {np.mean(lengths):.0f} frames in the mean'
        return [compare(title, ways, 'mmaction2', args.rounds, faster=True, target=TARGET)]
