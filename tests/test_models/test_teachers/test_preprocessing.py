import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers.mmlab_config import read_input
from mmact_ssl.models.teachers.preprocessing import FrameInput, letterbox_geometry

MEAN, STD = (10.0, 20.0, 30.0), (2.0, 4.0, 5.0)


@given(st.integers(8, 70), st.integers(8, 70))
@settings(max_examples=30)
def test_a_plain_color_stays_itself_and_a_letterbox_keeps_the_aspect(height, width):
    frames = torch.tensor([200, 100, 50], dtype=torch.uint8).reshape(1, 3, 1, 1)
    frames = frames.expand(1, 3, height, width)
    images = FrameInput((24, 16), MEAN, STD)(frames)
    assert images.shape == (1, 3, 24, 16)
    torch.testing.assert_close(images[0].mean((1, 2)), torch.tensor([95.0, 20.0, 4.0]))
    boxed = FrameInput((24, 16), letterbox=True)(frames)
    new_height, new_width, top, left = letterbox_geometry(height, width, (24, 16))
    assert new_height == 24 or new_width == 16
    assert 24 - new_height - 2 * top in (0, 1) and 16 - new_width - 2 * left in (0, 1)
    inside = boxed[0, :, top : top + new_height, left : left + new_width]
    torch.testing.assert_close(inside.mean((1, 2)), torch.tensor([200.0, 100.0, 50.0]))
    torch.testing.assert_close(inside.sum(), boxed.sum())  # black outside


def test_channels_and_normalization_follow_the_networks_order():
    frames = torch.tensor([200, 100, 50], dtype=torch.uint8).reshape(1, 3, 1, 1)
    images = FrameInput((1, 1), MEAN, STD, bgr=True)(frames)
    torch.testing.assert_close(images.flatten(), torch.tensor([20.0, 20.0, 34.0]))


def config_of(scope, *steps, **settings):
    preprocessor = {'type': 'Any', 'mean': [1, 2, 3], 'std': [4, 5, 6], **settings}
    return Config(
        {
            'default_scope': scope,
            'model': {'data_preprocessor': preprocessor},
            'test_dataloader': {'dataset': {'pipeline': list(steps)}},
        }
    )


@pytest.mark.parametrize('scope', ['mmpretrain', 'mmaction', 'mmpose'])
@pytest.mark.parametrize('swaps', [True, False])
def test_the_input_is_read_from_a_config(scope, swaps):
    """With the keys of the fingerprints of caches that exist."""
    affine = {'type': 'mmpose.TopdownAffine', 'input_size': (192, 256)}
    loaded = config_of(scope, affine, **{'bgr_to_rgb' if scope == 'mmpose' else 'to_rgb': swaps})
    # mmaction2 reads RGB and swaps to BGR, the others the other way round.
    bgr = swaps if scope == 'mmaction' else not swaps
    values = {'mean': (1, 2, 3), 'std': (4, 5, 6), 'bgr': bgr, 'short_side': 0}
    for asked, wanted in (
        (None, {'size': (256, 192), 'resize': 'letterbox'}),
        ((20, 30), {'size': (20, 30), 'resize': 'stretch'}),
    ):
        assert read_input(loaded, 'x.py', asked).identity() == {**values, **wanted}


def test_an_input_whose_size_no_config_tells_needs_one():
    loaded = config_of('mmaction', {'type': 'CenterCrop', 'crop_size': 224})
    with pytest.raises(ConfigError, match=r'x\.py is not of a top-down pose model: set input_size'):
        read_input(loaded, 'x.py', None)


def test_a_normalization_beside_the_model_is_found():
    settings = {'mean': [1, 2, 3], 'std': [4, 5, 6], 'to_rgb': True}
    found = read_input(Config({'data_preprocessor': settings, 'model': {}}), 'x.py', 8)
    assert (found.mean, found.std, found.bgr) == ((1, 2, 3), (4, 5, 6), False)
