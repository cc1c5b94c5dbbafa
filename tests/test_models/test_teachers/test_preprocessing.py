import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers.mmlab_config import read_input
from mmact_ssl.models.teachers.preprocessing import FrameInput, letterbox_geometry, scale

MEAN, STD = (10.0, 20.0, 30.0), (2.0, 4.0, 5.0)


@given(st.integers(8, 70), st.integers(8, 70))
@settings(max_examples=30, deadline=None)
def test_a_plain_color_stays_itself_and_a_letterbox_keeps_the_aspect(height, width):
    frames = torch.tensor([200, 100, 50], dtype=torch.uint8).reshape(1, 3, 1, 1)
    frames = frames.expand(1, 3, height, width)
    for resize in ('stretch', 'crop'):
        images = FrameInput((24, 16), MEAN, STD, resize=resize, short_side=32)(frames)
        assert images.shape == (1, 3, 24, 16)
        torch.testing.assert_close(images[0].mean((1, 2)), torch.tensor([95.0, 20.0, 4.0]))
    boxed = FrameInput((24, 16), resize='letterbox').resized(frames)
    new_height, new_width, top, left = letterbox_geometry(height, width, (24, 16))
    assert new_height == 24 or new_width == 16
    inside = boxed[0, :, top : top + new_height, left : left + new_width]
    torch.testing.assert_close(inside.mean((1, 2)), torch.tensor([200.0, 100.0, 50.0]))
    torch.testing.assert_close(inside.sum(), boxed.sum())  # black outside


def test_channels_and_normalization_follow_the_networks_order():
    frames = torch.tensor([200, 100, 50], dtype=torch.uint8).reshape(1, 3, 1, 1)
    images = FrameInput((1, 1), MEAN, STD, bgr=True)(frames)
    torch.testing.assert_close(images.flatten(), torch.tensor([20.0, 20.0, 34.0]))


@pytest.mark.parametrize('shape', [(20, 40), (40, 20), (32, 32)])
def test_what_shows_the_frame_is_cut_out_of_a_map(shape):
    height, width = shape
    rows, columns = np.mgrid[:height, :width]
    frame = torch.from_numpy(np.stack([5 * rows, 5 * columns, 0 * rows])).byte()[None]
    prepare = FrameInput((32, 32), resize='letterbox')
    cut = prepare.without_border(prepare.resized(frame), height, width)
    assert tuple(cut.shape[2:]) == (32 * height // max(shape), 32 * width // max(shape))
    torch.testing.assert_close(scale(cut, shape), frame.float(), atol=4, rtol=0)
    half = F.avg_pool2d(prepare.resized(frame), 2)  # a map of another resolution
    cut = prepare.without_border(half, height, width)
    torch.testing.assert_close(scale(cut, shape), frame.float(), atol=8, rtol=0)


def test_crop_takes_the_center_of_the_scaled_frame():
    frame = torch.zeros(1, 3, 40, 80, dtype=torch.uint8)
    frame[..., 10:30, 30:50] = 255
    images = FrameInput((10, 10), resize='crop', short_side=20).resized(frame)
    torch.testing.assert_close(images[..., 1:9, 1:9], torch.full((1, 3, 8, 8), 255.0))


def test_impossible_inputs_are_named():
    frame = torch.zeros(1, 3, 9, 9, dtype=torch.uint8)
    with pytest.raises(ConfigError, match="resize='pad': use 'stretch'"):
        FrameInput((8, 8), resize='pad')(frame)
    for arguments in ({'resize': 'crop', 'short_side': 7}, {'stretched': (8, 7)}):
        with pytest.raises(ConfigError, match=r'cannot cut \(8, 8\) out of frames scaled to'):
            FrameInput((8, 8), **arguments)(frame)


PREPROCESSOR = {'type': 'Any', 'mean': [1, 2, 3], 'std': [4, 5, 6]}
CASES = [
    ('mmpretrain', [('ResizeEdge', 'scale', 40), ('CenterCrop', 'crop_size', 32)],
     {'size': (32, 32), 'resize': 'crop', 'short_side': 40}),
    ('mmpretrain', [('EfficientNetCenterCrop', 'crop_size', 224)],
     {'size': (224, 224), 'resize': 'crop', 'short_side': 256}),
    ('mmpretrain', [('Resize', 'scale', (48, 32))],
     {'size': (32, 48), 'resize': 'stretch', 'short_side': 0}),
    ('mmpretrain', [('Resize', 'scale', (48, 40)), ('CenterCrop', 'crop_size', 32)],
     {'size': (32, 32), 'resize': 'stretch', 'short_side': 0, 'stretched': (40, 48)}),
    ('mmpretrain', [('Resize', 'scale', 40), ('CenterCrop', 'crop_size', 32)],
     {'size': (32, 32), 'resize': 'stretch', 'short_side': 0, 'stretched': (40, 40)}),
    ('mmaction', [('Resize', 'scale', (-1, 256)), ('ThreeCrop', 'crop_size', 256)],
     {'size': (256, 256), 'resize': 'crop', 'short_side': 256}),
    ('mmpose', [('mmpose.TopdownAffine', 'input_size', (192, 256))],
     {'size': (256, 192), 'resize': 'letterbox', 'short_side': 0}),
]  # fmt: skip


@pytest.mark.parametrize('scope, steps, wanted', CASES)
@pytest.mark.parametrize('swaps', [True, False])
def test_the_input_is_read_from_a_config(scope, steps, wanted, swaps):
    pipeline = [{'type': name, key: value} for name, key, value in steps]
    swap = {'bgr_to_rgb' if scope == 'mmpose' else 'to_rgb': swaps}
    loaded = Config(
        {
            'default_scope': scope,
            'model': {'data_preprocessor': {**PREPROCESSOR, **swap}},
            'test_dataloader': {'dataset': {'pipeline': pipeline}},
        }
    )
    found = read_input(loaded, 'x.py', None).identity()
    # mmaction2 reads RGB and swaps to BGR, the others the other way round.
    bgr = swaps if scope == 'mmaction' else not swaps
    assert found == {'mean': (1, 2, 3), 'std': (4, 5, 6), 'bgr': bgr, **wanted}
    given = read_input(loaded, 'x.py', (20, 30)).identity()
    assert (given['size'], given['resize']) == ((20, 30), 'stretch')


@pytest.mark.parametrize('keeps', [{}, {'keep_ratio': True}])
def test_a_frame_that_is_scaled_into_a_box_needs_a_size(keeps):
    """A frame of 320x240 becomes 340x255 and one of 320x180 340x191, before the center crop."""
    steps = [
        dict(type='Resize', scale=(340, 256), **keeps),
        dict(type='CenterCrop', crop_size=224),
    ]
    loaded = Config(
        {
            'default_scope': 'mmaction',
            'model': {'data_preprocessor': PREPROCESSOR},
            'test_dataloader': {'dataset': {'pipeline': steps}},
        }
    )
    with pytest.raises(ConfigError, match='x.py does not set one size of the input for all frame'):
        read_input(loaded, 'x.py', None)
    assert read_input(loaded, 'x.py', 224).size == (224, 224)


def test_a_normalization_beside_the_model_is_found():
    loaded = Config({'data_preprocessor': {**PREPROCESSOR, 'to_rgb': True}, 'model': {}})
    assert read_input(loaded, 'x.py', 8).mean == (1, 2, 3)
    assert not read_input(loaded, 'x.py', 8).bgr
