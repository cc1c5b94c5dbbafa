"""Shipped pipelines whose task is the order or the speed of frames do not give it away."""

from __future__ import annotations

import numpy as np
import pytest

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


def test_there_are_such_configs():
    names = {name.partition('.')[0] for name in CHOOSING}
    assert {
        'ms2l_gru_nwucla',
        'ms2l_stgcn_nwucla',
        'order_gru',
        'speed_gru',
        'speed_stgcn',
    } <= names


@pytest.mark.parametrize('name', CHOOSING)
def test_every_clip_begins_at_the_origin(name):
    """Whichever segment comes first; in the clip's old axes one segment alone would."""
    config = load(name)
    layout = config.get('bodies', {}).get('layout', 'kinect20')
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
