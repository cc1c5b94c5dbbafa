"""Frames, poses and part maps move together."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.layouts import LAYOUTS, PART_LAYOUTS, PartLayout
from mmact_ssl.datasets.transforms.geometry import HorizontalFlip, WholeFrameBox, crop_maps
from mmact_ssl.datasets.transforms.views import TransformViews
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import TRANSFORMS
from mmact_ssl.targets.cache import TargetMeta

HEIGHT, WIDTH = 120, 160
CROP = {'type': 'mmaction.RandomResizedCrop', 'area_range': (0.2, 1.0)}
RESIZE = {'type': 'mmaction.Resize', 'scale': (112, 112), 'keep_ratio': False}
FLIP = {'type': 'HorizontalFlip', 'layout': 'coco17'}


def find_dot(image):
    """Center (x, y) of the brightness, in continuous pixels, or None if there is none."""
    weight = image[..., 1].astype(float)
    if weight.max() < 100:
        return None
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**31),
    joint=st.integers(0, 16),
    x=st.integers(8, 160),
    y=st.integers(8, 118),
)
def test_a_dot_at_a_joint_stays_at_the_joint(seed, joint, x, y):
    image = np.zeros((128, 170, 3), np.uint8)
    image[y - 4 : y + 4, x - 4 : x + 4] = 255  # centered on (x, y) in continuous pixels
    pose = np.zeros((1, 17, 3), np.float32)
    pose[0, joint] = x, y, 1
    random.seed(seed)
    np.random.seed(seed % 2**32)
    results = TransformViews(
        views=('clip', 'future'), transforms=[{**CROP, 'area_range': (0.4, 1.0)}, RESIZE, FLIP]
    ).transform(
        {
            'views': {'clip': [image.copy()], 'future': [image.copy()]},
            'targets': {'clip': {'pose': pose.copy()}, 'future': {'pose': pose.copy()}},
            'target_meta': {'pose': TargetMeta('pose', 'coco17', 'f')},
        }
    )
    for view in ('clip', 'future'):
        after = results['targets'][view]['pose'][0]
        found = np.flatnonzero(after[:, 2])
        assert len(found) == 1  # scores of 0 stay 0, and the score goes with its joint
        place = after[found[0], :2]
        assume((place > 12).all() and (place < 100).all())  # the whole dot is in the picture
        dot = find_dot(results['views'][view][0])
        assert dot is not None
        np.testing.assert_allclose(dot, place, atol=0.35)
        assert found[0] in (joint, LAYOUTS['coco17'].flip_indices[joint])


def flip(keypoint, layout='coco17', ratio=1.0):
    images = [np.arange(5 * 8 * 3, dtype=np.uint8).reshape(5, 8, 3)]
    score = np.arange(keypoint.shape[2], dtype=np.float32)[None, None] + 1
    return HorizontalFlip(layout=layout, flip_ratio=ratio).transform(
        {'imgs': images, 'img_shape': (5, 8), 'keypoint': keypoint, 'keypoint_score': score}
    )


@pytest.mark.parametrize('layout', LAYOUTS)
def test_left_and_right_change_places(layout):
    joints = LAYOUTS[layout].num_joints
    before = np.random.RandomState(0).rand(1, 1, joints, 2) * [8, 5]
    given = before.copy()
    after = flip(given, layout)
    np.testing.assert_array_equal(given, before)
    for one, other in enumerate(LAYOUTS[layout].flip_indices):
        np.testing.assert_allclose(
            after['keypoint'][0, 0, one], [8, 0] + before[0, 0, other] * [-1, 1]
        )
        assert after['keypoint_score'][0, 0, one] == other + 1
    twice = flip(after['keypoint'].copy(), layout)
    np.testing.assert_allclose(twice['keypoint'], before)


def test_the_probability_is_kept():
    np.random.seed(0)
    flips = [flip(np.zeros((1, 1, 17, 2)), ratio=0.3)['flip'] for _ in range(2000)]
    assert abs(np.mean(flips) - 0.3) < 0.04


def test_whole_frame_box():
    results = WholeFrameBox()({'img': np.zeros((30, 40, 3)), 'bbox': np.ones((1, 4))})
    np.testing.assert_array_equal(results['bbox'], [[0, 0, 40, 30]])


# ---------------------------------------------------------------- part maps


def ramps(height, width):
    """Two channels that encode their own place: x and y as fractions, float32 (2, h, w)."""
    y, x = np.mgrid[:height, :width] + 0.5
    return np.stack([x / width, y / height]).astype(np.float32)


@pytest.fixture(autouse=True)
def places(monkeypatch):
    """A layout of these channels, which have no sides."""
    monkeypatch.setitem(PART_LAYOUTS, 'places', PartLayout('places', ('x', 'y')))


def made_results(maps, layout='places', frames=2, poses=None):
    """A clip and a future of pictures whose red is x and whose green is y."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[..., :2] = np.round(ramps(HEIGHT, WIDTH).transpose(1, 2, 0) * 255)
    targets: dict = {'clip': {'parts': np.repeat(maps[None], frames, axis=0)}}
    for view, pose in (poses or {}).items():
        targets.setdefault(view, {})['pose'] = pose
    return {
        'views': {v: [picture.copy() for _ in range(frames)] for v in ('clip', 'future')},
        'targets': targets,
        'target_meta': {
            'parts': TargetMeta('map', layout, 'f'),
            'pose': TargetMeta('pose', 'coco17', 'f'),
        },
    }


def run(results, transforms, seed=0, **options):
    random.seed(seed)
    np.random.seed(seed % 2**32)
    return TransformViews(views=('clip', 'future'), transforms=transforms, **options)(results)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**31),
    size=st.tuples(st.integers(30, 150), st.integers(30, 150)),
    order=st.permutations([CROP, RESIZE, {'type': 'RandomApply', 'transforms': [FLIP]}]),
    posed=st.booleans(),
)
def test_maps_show_the_same_places_as_the_frames(seed, size, order, posed):
    poses = {'future': np.full((2, 17, 3), 9, np.float32)} if posed else None
    results = made_results(ramps(*size), poses=poses)
    results = run(results, [*order, {**RESIZE, 'scale': (96, 96)}], seed, map_size=(32, 32))
    maps = results['targets']['clip']['parts']
    assert maps.shape == (2, 2, 32, 32) and maps.dtype == np.float32
    for t in range(2):
        frame = results['views']['clip'][t][..., :2].astype(float) / 255
        seen = frame.reshape(32, 3, 32, 3, 2).mean((1, 3)).transpose(2, 0, 1)
        # Within two pixels of the map from the frame's edge the picture goes on and the map ends.
        inner = ((seen > 2 / 30) & (seen < 28 / 30)).all(0)
        np.testing.assert_allclose(maps[t][:, inner], seen[:, inner], atol=2.5 / 255)


def test_left_and_right_parts_change_places_where_the_view_is_mirrored():
    layout = PART_LAYOUTS['demo_parts']
    maps = np.random.default_rng(0).random((10, 6, 8), np.float32)
    for ratio in (0.0, 1.0):
        results = run(made_results(maps, 'demo_parts'), [{**FLIP, 'flip_ratio': ratio}])
        wanted = maps[layout.flip_indices, :, ::-1] if ratio else maps
        np.testing.assert_allclose(results['targets']['clip']['parts'][1], wanted, atol=1e-6)
    left, right = layout.index('left_arm', 'right_arm')
    np.testing.assert_allclose(
        results['targets']['clip']['parts'][0, left], maps[right, :, ::-1], atol=1e-6
    )


def test_poses_do_not_depend_on_whether_there_are_maps():
    poses = np.random.default_rng(1).random((2, 17, 3), np.float32) * [160, 120, 1]
    poses = poses.astype(np.float32)
    found = []
    for keep in (True, False):
        results = made_results(ramps(20, 30), poses={'clip': poses.copy()})
        if not keep:
            del results['target_meta']['parts']
        found.append(run(results, [CROP, RESIZE, FLIP], seed=3)['targets']['clip']['pose'])
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)


def test_views_that_do_not_move_keep_their_maps_to_the_bit():
    maps = np.random.default_rng(0).random((3, 17, 23), np.float32)
    jitter = {'type': 'mmaction.TorchVisionWrapper', 'op': 'ColorJitter', 'hue': 0.14}
    for transforms in ([], [RESIZE], [jitter]):
        results = run(made_results(maps), transforms)
        np.testing.assert_array_equal(results['targets']['clip']['parts'], [maps, maps])


def slow_crop(maps, box, size):
    """One pixel at a time in float64."""
    channels, height, width = maps.shape
    out = np.zeros((channels, *size))
    (left, top), (right, bottom) = box
    across, down = right - left, bottom - top
    for i, j in np.ndindex(*size):
        y = (top + down * (i + 0.5) / size[0]) * height
        x = (left + across * (j + 0.5) / size[1]) * width
        reach_y = max(1, abs(down) * height / size[0])
        reach_x = max(1, abs(across) * width / size[1])
        total = 0.0
        for r, c in np.ndindex(height, width):
            weight = max(0, 1 - abs(r + 0.5 - y) / reach_y) * max(0, 1 - abs(c + 0.5 - x) / reach_x)
            out[:, i, j] += weight * maps[:, r, c]
            total += weight
        out[:, i, j] /= total
    return out


fraction = st.floats(0, 1)


@settings(max_examples=30)
@given(x=st.tuples(fraction, fraction), y=st.tuples(fraction, fraction), seed=st.integers(0, 99))
def test_crop_against_a_slow_twin(x, y, seed):
    if abs(x[0] - x[1]) < 0.02 or abs(y[0] - y[1]) < 0.02:
        return
    rng = np.random.default_rng(seed)
    maps = rng.random((2, *rng.integers(1, 10, 2)), np.float32)
    size = tuple(rng.integers(1, 8, 2).tolist())
    box = [[x[0], y[0]], [x[1], y[1]]]
    found = crop_maps(maps[None], box, 'places', size)
    np.testing.assert_allclose(found[0], slow_crop(maps, box, size), atol=1e-5)


def test_the_outside_of_the_frame_is_empty():
    maps = np.random.default_rng(0).random((2, 4, 9, 9), np.float32)
    outside = crop_maps(maps, [[-1, 0], [1, 1]], 'places', (4, 10))
    assert (outside[..., :5] == 0).all() and (outside[..., 5:] > 0).any()


@TRANSFORMS.register_module()
class RotateABit(BaseTransform):
    def transform(self, results):
        turn = np.array([[0.9, 0.1], [-0.1, 0.9]])
        return {**results, 'keypoint': results['keypoint'] @ turn}


@TRANSFORMS.register_module()
class TenthsOfPixels(BaseTransform):
    def transform(self, results):
        return {**results, 'keypoint': np.round(results['keypoint'], 1)}


@pytest.mark.parametrize('transform', ['RotateABit', 'TenthsOfPixels'])
def test_what_maps_cannot_follow_is_refused(transform):
    with pytest.raises(ValueError, match='other than by crop, resize and flip'):
        run(made_results(ramps(4, 5)), [{'type': transform}])


TORCHVISION = {'type': 'mmaction.TorchVisionWrapper'}


@pytest.mark.parametrize(
    'transform',
    [
        {'type': 'mmaction.Flip'},
        {'type': 'mmaction.Flip', 'left_kp': [5], 'right_kp': [6]},
        {**TORCHVISION, 'op': 'RandomHorizontalFlip', 'p': 1.0},
        {'type': 'RandomApply', 'transforms': [{**TORCHVISION, 'op': 'RandomVerticalFlip'}]},
    ],
)
@pytest.mark.parametrize('kind', ['pose', 'parts'])
def test_transforms_that_leave_targets_behind_are_refused(transform, kind):
    results = made_results(ramps(4, 5), poses={'clip': np.ones((2, 17, 3), np.float32)})
    del results['target_meta']['parts' if kind == 'pose' else 'pose']
    with pytest.raises(
        ConfigError, match=r"of \('clip', 'future'\) do not follow .*HorizontalFlip"
    ):
        run(results, [transform])
    del results['target_meta'][kind]
    run(results, [transform])
