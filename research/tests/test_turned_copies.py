"""Turned and mirrored copies of a clip."""

from __future__ import annotations

import numpy as np
import pytest
from mmaction.datasets.transforms import FormatGCNInput

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.transforms.skeleton.streams import BonesAndMotion
from mmact_ssl.errors import ConfigError
from research.parts.turned_copies import TurnedCopies


def test_copies_are_the_clip_turned_about_the_vertical_and_mirrored(make_sample):
    sample = make_sample(frames=4)
    clip = sample['keypoint'].astype(float)
    out = TurnedCopies(degrees=(0, 90))(sample)
    made = FormatGCNInput(num_person=1)(out)['keypoint']  # (copies, M, T, V, C)
    assert out['num_clips'] == len(made) == 4
    # A quarter turn about y takes z to x and x to -z.
    turned = np.stack([clip[..., 2], clip[..., 1], -clip[..., 0]], axis=-1)
    swapped = LAYOUTS[sample['layout']].flip_indices
    for place, whole in ((0, clip), (2, turned)):
        np.testing.assert_allclose(made[place], whole, atol=1e-6)
        mirrored = whole[:, :, swapped] * [-1, 1, 1]
        np.testing.assert_allclose(made[place + 1], mirrored, atol=1e-6)


def test_without_mirror_there_is_one_copy_an_angle(make_sample):
    assert TurnedCopies(degrees=(-30, 0, 30), mirror=False)(make_sample())['num_clips'] == 3


def test_streams_are_made_of_each_copy_alone(make_sample):
    sample = make_sample(frames=5)
    copies = TurnedCopies(degrees=(0,), transforms=[dict(type='BonesAndMotion')])
    out = copies({**sample})['keypoint']
    alone = BonesAndMotion()({**sample})['keypoint']
    np.testing.assert_array_equal(out[:, :5], alone)
    # No motion from the last frame of one copy to the first of the next.
    assert not out[:, 5, :, 6:].any()
    assert out[:, 6, :, 6:].any()


def test_streams_cannot_be_turned(make_sample):
    sample = BonesAndMotion()(make_sample())
    with pytest.raises(ConfigError, match='9 values per joint.*before BonesAndMotion'):
        TurnedCopies()(sample)
