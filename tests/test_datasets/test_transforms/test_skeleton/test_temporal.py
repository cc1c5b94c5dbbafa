"""ResampleFrames, TemporalCrop, RandomStride and PadFrames."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.datasets.transforms.skeleton.temporal import (
    PadFrames,
    RandomStride,
    ResampleFrames,
    TemporalCrop,
)


def resample_twin(clip, num_frames):
    persons, frames = clip.shape[:2]
    out = np.zeros((persons, num_frames, *clip.shape[2:]))
    for i in range(num_frames):
        place = i * (frames - 1) / (num_frames - 1) if num_frames > 1 else (frames - 1) / 2
        early = math.floor(place + 1e-9)
        late = min(early + 1, frames - 1)
        share = place - early
        for m in range(persons):
            for v in range(clip.shape[2]):
                before, after = clip[m, early, v].astype(float), clip[m, late, v]
                if before.any() and after.any():
                    out[m, i, v] = (1 - share) * before + share * after
                else:
                    out[m, i, v] = after if share > 0.5 + 1e-9 else before
    return out


@settings(max_examples=40)
@given(
    persons=st.integers(1, 2),
    frames=st.integers(1, 12),
    num_frames=st.integers(1, 20),
    padding=st.integers(0, 4),
    gaps=st.booleans(),
    seed=st.integers(0, 99),
)
def test_resample(make_sample, persons, frames, num_frames, padding, gaps, seed):
    sample = make_sample('kinect20', persons, frames, padding=padding, gaps=gaps, seed=seed)
    expected = resample_twin(sample['keypoint'][:, :frames], num_frames)
    out = ResampleFrames(num_frames)(sample)
    assert out['keypoint'].dtype == np.float32
    np.testing.assert_allclose(out['keypoint'], expected, atol=1e-5)
    assert out['total_frames'] == out['valid_frames'] == num_frames


def assert_runs_are_drawn(transform, frames, expected):
    """Compare how often runs of a clip's frames 1, 2, ... come with ``expected`` {run: chance}."""
    keypoint = np.arange(1, frames + 1, dtype=np.float32)[None, :, None, None]
    keypoint = np.pad(np.tile(keypoint, (1, 1, 20, 3)), ((0, 0), (0, 3), (0, 0), (0, 0)))
    np.random.seed(0)
    runs = Counter()
    for _ in range(3000):
        out = transform({'keypoint': keypoint, 'valid_frames': frames})
        run = tuple(out['keypoint'][0, :, 0, 0].astype(int).tolist())
        assert out['total_frames'] == out['valid_frames'] == len(run)
        runs[run] += 1
        if 'targets' in out:
            speed = out['targets']['speed']
            assert speed.dtype == np.int64 and set(np.diff(run)) == {speed}
    assert set(runs) == set(expected)
    for run, chance in expected.items():
        assert abs(runs[run] / 3000 - chance) < 0.03, run


def test_crop_takes_every_run_alike():
    # Of 5 frames the share 0.5..1 gives, rounded, 3, 4 or 5 (0.9 and more) frames.
    expected = {
        tuple(range(start, start + length)): chance / (6 - length)
        for length, chance in ((3, 0.4), (4, 0.4), (5, 0.2))
        for start in range(1, 7 - length)
    }
    assert_runs_are_drawn(TemporalCrop(area=(0.5, 1.0)), 5, expected)


@settings(max_examples=30)
@given(frames=st.integers(1, 30), num_frames=st.integers(1, 40), seed=st.integers(0, 99))
def test_warped_time_bends_a_line_to_a_power(frames, num_frames, seed):
    line = np.linspace(1, 2, frames, dtype=np.float32)[None, :, None, None]
    keypoint = np.tile(line, (1, 1, 20, 3))
    transform = TemporalCrop(area=(1.0, 1.0), num_frames=num_frames, warp=0.5)
    np.random.seed(seed)
    out = transform({'keypoint': keypoint})['keypoint'][0, :, 0, 0]
    np.random.seed(seed)
    np.random.uniform(), np.random.randint(1)  # the cut's length and place
    exponent = math.exp(0.5 * np.random.normal())
    for i in range(num_frames):
        t = i / (num_frames - 1) if num_frames > 1 else 0.5
        expected = 1 + t**exponent if frames > 1 else 1
        assert out[i] == pytest.approx(expected, abs=1e-5)


def test_strides_and_starts_come_alike_where_they_fit():
    # Three frames at a stride of 4 need 9 frames.
    expected = {
        tuple(range(start, start + 2 * stride + 1, stride)): 1 / 2 / (8 - 2 * stride)
        for stride in (1, 3)
        for start in range(1, 9 - 2 * stride)
    }
    assert_runs_are_drawn(RandomStride(strides=(1, 3, 4), num_frames=3), 8, expected)


@pytest.mark.parametrize('frames', [1, 4, 5])
def test_a_clip_in_which_no_stride_fits_is_shorter(make_sample, frames):
    sample = make_sample(frames=frames, padding=2)
    out = RandomStride(strides=(3, 2), num_frames=4)({**sample})
    np.testing.assert_array_equal(out['keypoint'], sample['keypoint'][:, :frames:2])
    assert out['targets']['speed'] == -1 and out['valid_frames'] == -(-frames // 2)


@settings(max_examples=30)
@given(frames=st.integers(1, 30), num_frames=st.integers(1, 20), padding=st.integers(0, 4))
def test_pad(make_sample, frames, num_frames, padding):
    sample = make_sample(frames=frames, padding=padding)
    clip = sample['keypoint']
    out = PadFrames(num_frames)({**sample})
    kept = min(frames, num_frames)
    assert out['keypoint'].shape == (1, num_frames, 20, 3)
    assert (out['total_frames'], out['valid_frames']) == (num_frames, kept)
    for i in range(kept):
        source = i if frames <= num_frames else math.floor((i + 0.5) * frames / num_frames)
        np.testing.assert_array_equal(out['keypoint'][:, i], clip[:, source])
    assert not out['keypoint'][:, kept:].any()
