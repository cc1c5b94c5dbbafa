"""Masks of video views: tubes, their number, and the views that show another's frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.datasets.transforms.masks import MaskTubes, draw_mask
from mmact_ssl.datasets.transforms.skeleton.masks import MaskJointSegments
from mmact_ssl.errors import ConfigError


def sample(frames: int = 4, height: int = 16, width: int = 24) -> dict:
    random = np.random.RandomState(0)
    shown = [random.randint(256, size=(height, width, 3)).astype(np.uint8) for _ in range(frames)]
    valid = dict(valid=np.arange(frames) < 3)
    return dict(views=dict(clip=shown), targets=dict(clip=valid), filename='a.mp4')


@settings(max_examples=40)
@given(count=st.integers(2, 60), percent=st.integers(1, 99), seed=st.integers(0, 99))
def test_so_many_places_are_masked_and_one_at_least_is_not(count, percent, seed):
    np.random.seed(seed)
    if percent * count < 100:
        with pytest.raises(ConfigError, match=f'of {count} places hides none: give a larger'):
            draw_mask(count, percent / 100)
        return
    mask = draw_mask(count, percent / 100)
    assert mask.dtype == bool and mask.sum() == min(percent * count // 100, count - 1)


def test_places_are_drawn_by_their_weight_without_replacement():
    """The first of three is drawn alone with its share, of two with the slow formula's."""
    weights = np.array([6.0, 3.0, 1.0])
    np.random.seed(0)
    draws = np.mean([draw_mask(3, 1 / 3, np.log(weights)) for _ in range(6000)], axis=0)
    np.testing.assert_allclose(draws, weights / 10, atol=0.02)
    draws = np.mean([draw_mask(3, 2 / 3, np.log(weights)) for _ in range(6000)], axis=0)
    first = 0.6 + 0.3 * 6 / 7 + 0.1 * 6 / 9
    second = 0.3 + 0.6 * 3 / 4 + 0.1 * 3 / 9
    np.testing.assert_allclose(draws, [first, second, 2 - first - second], atol=0.02)


def test_the_same_places_of_all_frames_are_masked_and_the_frames_stay():
    np.random.seed(0)
    results = MaskTubes(patch=(2, 4, 8), ratio=0.75)(sample())
    mask = results['targets']['clip']['mask']
    assert mask.shape == (1, 2, 4, 3) and mask.dtype == bool
    assert mask[0, 0].sum() == 9 and (mask == mask[:, :1]).all()
    for frame, before in zip(results['views']['clip'], sample()['views']['clip']):
        np.testing.assert_array_equal(frame, before)


@pytest.mark.parametrize('transform', [MaskTubes, MaskJointSegments])
@pytest.mark.parametrize('ratio', [-0.1, 0, 1, 1.5])
def test_a_ratio_that_is_no_share_is_refused_when_it_is_built(transform, ratio):
    with pytest.raises(ConfigError, match=rf'{transform.__name__}: ratio={ratio}: give a share'):
        transform(ratio=ratio)


def test_frames_that_are_no_whole_number_of_patches_are_refused():
    with pytest.raises(ConfigError, match=r"'clip' has .* \(4, 16, 24\), .* patches \(2, 16, 16\)"):
        MaskTubes()(sample())
    with pytest.raises(KeyError, match='MaskTubes'):
        MaskTubes('masked')(sample())
