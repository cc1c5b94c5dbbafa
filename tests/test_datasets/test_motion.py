"""The descriptor of motion: against a slow formula, and on scenes that files change."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from mmact_ssl.datasets import motion
from mmact_ssl.datasets.transforms.motion import DescribeMotion, SampleMotion

LENGTH = 2.0  # seconds of the scene
# A flip exchanges left and right. Of the flow to the side it changes the sign too, so that its
# gradient turns upside down.
TURN = (4 - np.arange(8)) % 8
MIRROR = [*TURN, *8 + -np.arange(8) % 8, *16 + TURN]


def texture(seed, height, width):
    noise = np.random.default_rng(seed).normal(size=(height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return 128 + 45 * smooth / smooth.std()


GROUND, BODY = texture(0, 300, 500), texture(1, 60, 40)


def draw(seconds, sway=0.0):
    """A frame (120, 160): a textured body swings over a textured ground, under a moving camera."""
    camera = sway * math.sin(9 * seconds)
    corner = np.float32([[1, 0, 60 + camera], [0, 1, 60]])
    size, how = (160, 120), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    frame = cv2.warpAffine(GROUND, corner, size, flags=how)
    x = 60 + 35 * math.sin(4 * seconds) - camera
    y = 25 + 15 * math.sin(7 * seconds)
    place = np.float32([[1, 0, x], [0, 1, y]])
    body = cv2.warpAffine(BODY, place, size, flags=cv2.INTER_LINEAR)
    mask = cv2.warpAffine(np.ones(BODY.shape[:2], np.float32), place, size)[..., None]
    return (body * mask + frame * (1 - mask)).clip(0, 255).astype(np.uint8)


def film(rate=30, **scene):
    seconds = np.arange(round(LENGTH * rate)) / rate
    return seconds, [draw(moment, **scene) for moment in seconds]


def describe(seconds, frames, num_pairs=16):
    results = dict(total_frames=len(frames), start_index=0, seconds=seconds, array=frames)
    results = DescribeMotion()(SampleMotion(num_pairs)(dict(results, frame_inds=np.array([0]))))
    assert results['frame_inds'].tolist() == [0]
    return results['motion']


def cosine(first, second):
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


@pytest.fixture(scope='module')
def scene():
    seconds, frames = film()
    return seconds, frames, describe(seconds, frames)


def slow(flow):
    """The formula, place by place."""
    flow = flow[::2, ::2]
    height, width = flow.shape[:2]
    u, v = (flow[..., part] - np.median(flow[..., part]) for part in (0, 1))
    bins, area = np.zeros((3, 8, 4, 4)), np.zeros((4, 4))

    def slope(field, y, x):
        """Right and down: central differences, at the edge one-sided."""
        left, right = max(x - 1, 0), min(x + 1, width - 1)
        top, bottom = max(y - 1, 0), min(y + 1, height - 1)
        across = (field[y, right] - field[y, left]) / (2 * (right - left))
        return across, (field[bottom, x] - field[top, x]) / (2 * (bottom - top))

    for y, x in np.ndindex(height, width):
        cell = 4 * y // height, 4 * x // width
        area[cell] += 1
        vectors = [(u[y, x] / 8, v[y, x] / 8), slope(u, y, x), slope(v, y, x)]
        for part, (right, down) in enumerate(vectors):
            place = math.degrees(math.atan2(down, right)) % 360 / 45
            for direction in (math.floor(place), math.floor(place) + 1):
                vote = math.hypot(right, down) * (1 - abs(place - direction))
                bins[part, direction % 8][cell] += vote
    return np.sqrt(np.minimum(bins / area, 1)).reshape(24, 4, 4)


def test_the_histograms_are_those_of_the_formula():
    flow = np.random.default_rng(0).normal(1, 4, (42, 60, 2)).astype(np.float32)
    found = motion.describe_flow(flow)
    assert found.dtype == np.float32 and found.shape == motion.SHAPE
    np.testing.assert_allclose(found, slow(flow), rtol=1e-3, atol=1e-4)


def test_pairs_lie_a_fixed_time_apart():
    found = {
        (0, 1 / 30, 2 / 30, 3 / 30, 4 / 30): [[0, 2], [1, 3], [2, 4], [2, 4], [2, 4]],
        (0, 1 / 15, 2 / 15): [[0, 1], [1, 2], [1, 2]],
        (0, 1 / 5, 2 / 5): [[0, 1], [1, 2], [1, 2]],  # slower
        (0, 0.01, 0.06, 0.07, 0.2): [[0, 3], [1, 3], [2, 3], [3, 4], [3, 4]],  # a variable rate
        (0, 0.01): [[0, 1], [0, 1]],  # shorter
        (0,): [[0, 0]],
    }
    for times, pairs in found.items():
        assert motion.pair_frames(np.array(times)).tolist() == pairs


@pytest.mark.parametrize('rate', [15, 60, 25])
def test_frame_rates_compare(scene, rate):
    seconds, frames = film(rate)
    assert cosine(describe(seconds, frames), scene[2]) >= (0.98 if rate != 25 else 0.97)


def test_another_motion_is_another_descriptor(scene):
    seconds, frames = film()
    turned = [cv2.rotate(frame, cv2.ROTATE_90_CLOCKWISE) for frame in frames]
    assert cosine(describe(seconds, turned), scene[2]) < 0.9
    assert np.linalg.norm(describe(2 * seconds, frames)) < np.linalg.norm(scene[2])


def scaled(height):
    size = round(height * 4 / 3), height
    return [cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC) for frame in film()[1]]


def interlaced():
    """Odd lines show the moment of the next field."""
    large = [cv2.resize(draw(moment), (640, 480)) for moment in np.arange(120) / 60]
    for frame, other in zip(large[::2], large[1::2]):
        frame[1::2] = other[1::2]
    return large[::2]


@pytest.mark.parametrize(
    ('frames', 'least'),
    [
        (lambda: film(sway=8.0)[1], 0.95),
        (lambda: scaled(90), 0.97),
        (lambda: scaled(720), 0.97),
        (interlaced, 0.97),
    ],
    ids=['moving camera', 'small', 'large', 'interlaced'],
)
def test_camera_size_and_fields_change_little(scene, frames, least):
    assert cosine(describe(scene[0], frames()), scene[2]) > least


def test_a_mirrored_video_exchanges_cells_and_directions(scene):
    pair = scene[1][10:14:3]
    mirrored = motion.describe_pair(*(np.ascontiguousarray(frame[:, ::-1]) for frame in pair))
    plain = motion.describe_pair(*pair)
    expected = plain[MIRROR][..., ::-1]
    assert (
        cosine(mirrored.ravel(), expected.ravel()) > 0.95 > cosine(mirrored.ravel(), plain.ravel())
    )
    flow = np.random.default_rng(0).normal(1, 4, (40, 31, 2)).astype(np.float32)  # odd: places stay
    expected = motion.describe_flow(flow)[MIRROR][..., ::-1]
    np.testing.assert_allclose(motion.describe_flow(flow[:, ::-1] * [-1, 1]), expected, atol=1e-4)


def test_black_frames_and_cuts_are_left_out_and_stills_do_not_move(scene):
    seconds, frames, _ = scene
    night = np.zeros_like(frames[0])
    other = texture(3, 120, 160).clip(0, 255).astype(np.uint8)
    assert motion.describe_pair(frames[0], night) is motion.describe_pair(frames[0], other) is None
    for still in ([frames[0]] * 60, [night] * 60, frames[:1]):
        assert np.abs(describe(seconds[: len(still)], still)).max() < 0.01
    black = [*frames[:25], *[night] * 10, *frames[35:]]
    assert cosine(describe(seconds, black, 60), describe(seconds, frames, 60)) > 0.95
    cut, stop = ([*frames[:30], *[last] * 30] for last in (other, frames[29]))
    assert cosine(describe(seconds, cut, 60), describe(seconds, stop, 60)) > 0.99
