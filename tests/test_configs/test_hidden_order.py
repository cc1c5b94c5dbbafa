"""Shipped pipelines whose task is the order or the speed of frames do not give it away."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
import torch

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.transforms.skeleton.joints import part
from mmact_ssl.registry import TRANSFORMS
from tests.shipped import TOP_LEVEL, load, loaders, parsed, step, steps

CHOICES = ('ShuffleSegments', 'RandomStride')


def chosen_views(config) -> list[str]:
    """The views of a skeleton config in which frames change places or speed."""
    made = steps(config.train_dataloader, 'MakeSkeletonViews')
    views = [item for one in made for item in one['views'].items()]
    return [view for view, transforms in views if list(steps(transforms, *CHOICES))]


CHOOSING = [name for name in TOP_LEVEL if chosen_views(parsed(name))]


def drifting(layout: str) -> dict:
    """A stiff body that moves by a third of its torso in each frame."""
    random = np.random.default_rng(0)
    body = random.normal(size=(LAYOUTS[layout].num_joints, 3))
    speed = np.abs(body).max() / 3
    drift = np.arange(90)[:, None, None] * np.array([speed, 0, 0])
    return dict(
        keypoint=(body + drift)[None].astype(np.float32),
        layout=layout,
        total_frames=90,
        frame_dir='drifting',
        filename='drifting',
    )


@pytest.mark.parametrize('name', CHOOSING)
def test_every_clip_begins_at_the_origin(name):
    """Whichever segment comes first; in the clip's old axes one segment alone would."""
    config = load(name)
    layout = config.encoder.options.get('layout', 'kinect20')
    for loader in loaders(config):
        make = TRANSFORMS.build(step(loader, 'MakeSkeletonViews'))
        orders = set()
        for seed in range(12):
            np.random.seed(seed)
            made = make(drifting(layout))
            for view in chosen_views(config):
                base = made['views'][view][0, 0, part(LAYOUTS[layout], 'spine_base'), :3].mean(0)
                orders.add(tuple(np.atleast_1d(made['targets'][view].get('permutation', 0))))
                assert np.linalg.norm(base) < 0.2
        assert len(orders) > 1 or 'speed' in name


def picture(frame: int) -> np.ndarray:
    """A picture that drifts by a pixel from frame to frame."""
    x, y = np.meshgrid(np.arange(128) + frame, np.arange(128))
    waves = [np.sin(x / 9 + y / 7), np.sin(x / 15 - y / 11), np.sin(x / 23)]
    return (127 + 100 * np.stack(waves, -1)).astype(np.uint8)


def test_the_cuts_do_not_show_which_segments_of_a_video_are_neighbors(tmp_path, make_video):
    """The order with the smallest differences at the cuts, which needs no training."""
    path = make_video(tmp_path / 'a.mp4')
    for loader in loaders(load('order_r3d18-small.py@jhmdb')):
        kinds = ('SampleViews', 'ShuffleViewSegments', 'Transform', 'PackInputs')
        changed = [one for one in loader.dataset.pipeline if one['type'] != 'DecodeViews']
        sample_views, shuffle, *change = [TRANSFORMS.build(one) for one in changed]
        assert all(one['type'].startswith(kinds) for one in changed)
        right = []
        for seed in range(24):
            np.random.seed(seed)
            torch.manual_seed(seed)  # the jitter of colors
            sample = shuffle(sample_views(dict(filename=str(path))))
            sample['views'] = dict(clip=[picture(i) for i in sample['frame_inds']['clip']])
            for transform in change:
                sample = transform(sample)
            order = sample['targets']['clip']['permutation'].numpy()
            frames = sample['inputs']['clip'].float().unflatten(1, (len(order), -1))
            costs = {
                guess: sum(
                    float((frames[:, one, -1] - frames[:, next_one, 0]).abs().mean())
                    for one, next_one in pairwise(guess)
                )
                for guess in permutations(range(len(order)))
            }
            right.append(min(costs, key=costs.__getitem__) == tuple(np.argsort(order)))
        assert np.mean(right) < 0.7, 'all are right where segments share a crop'
