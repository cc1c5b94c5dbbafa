"""Embeddings of a clip from a teacher's targets, in the body's frame, and running statistics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mmact_ssl.models.necks.target_pooling import (
    PooledTarget,
    RunningStandardizer,
    body_frame,
    pool_target,
)

BATCH, TIME = 5, 4


@settings(max_examples=20)
@given(st.integers(0, 1000), st.booleans())
def test_entries_that_count_in_frames_of_their_own_are_pooled_by_themselves(seed, deviation):
    generator = torch.Generator().manual_seed(seed)
    target = torch.randn(BATCH, TIME, 3, 2, generator=generator)
    known = torch.rand(BATCH, TIME, 3, generator=generator) > 0.4
    found = pool_target(target, known, deviation).unflatten(1, (-1, 3, 2))
    for b in range(BATCH):
        for v in range(3):
            values = target[b, known[b, :, v], v]  # (frames, 2)
            expected = torch.zeros(1 + deviation, 2)
            if len(values):
                expected[0] = values.mean(0)
                expected[1:] = values.std(0, correction=0)
            torch.testing.assert_close(found[b, :, v], expected, atol=1e-6, rtol=1e-5)
    every = torch.ones(BATCH, TIME, 3, dtype=torch.bool)
    assert torch.equal(
        pool_target(target, every, deviation), pool_target(target, every[..., 0], deviation)
    )


def test_a_teacher_of_whole_clips_gives_one_target():
    target = torch.randn(BATCH, 1, 7)
    valid = torch.zeros(BATCH, TIME, dtype=torch.bool)
    valid[:, 0] = True
    assert torch.equal(pool_target(target, valid), target[:, 0])


@settings(max_examples=30)
@given(st.integers(1, 8), st.integers(0, 999), st.floats(0.3, 3), st.floats(-1, 1))
def test_poses_in_the_bodys_frame_do_not_know_the_crop(joints, seed, zoom, shift):
    generator = torch.Generator().manual_seed(seed)
    poses = torch.rand(2, TIME, joints, 3, generator=generator)
    known = torch.rand(2, TIME, joints, generator=generator) > 0.3
    found = body_frame(poses, known)
    for pose, seen, own in zip(poses.double(), known, found.double()):
        places = pose.where(seen[..., None], torch.nan)
        joints = places.nanmean(0).nan_to_num(0)  # (V, 3), means over the frames
        weights = joints[:, 2] / joints[:, 2].sum().clamp(min=1e-9)
        centered = places[..., :2] - weights @ joints[:, :2]
        square = weights @ centered.square().sum(2).nanmean(0).nan_to_num(0)
        expected = (centered / max(math.sqrt(square), 1e-3)).nan_to_num(0)
        torch.testing.assert_close(own, expected, atol=2e-3, rtol=0)
    moved = poses.clone()
    moved[..., :2] = zoom * moved[..., :2] + shift
    wide = known.sum((1, 2)) > 2
    assert torch.allclose(body_frame(moved, known)[wide], found[wide], atol=1e-2)


@pytest.mark.parametrize('deviation', [False, True])
def test_a_joint_counts_in_the_frames_in_which_it_is_known(deviation):
    """A joint that stands still does not move towards the center when it is hidden."""
    pooled = PooledTarget(joints=4, deviation=deviation)
    pooled.standardizer = Unstandardized()
    valid = torch.ones(2, BATCH, TIME, dtype=torch.bool)
    one, other = (torch.rand(BATCH, 1, 4, 3).repeat(1, TIME, 1, 1) + 0.2 for _ in range(2))
    expected = pooled([one, other], valid)[0]
    one[:, 1, 0, 2] = 0
    found = pooled([one, other], valid)[0]
    torch.testing.assert_close(found[:, :2], expected[:, :2])
    if deviation:
        assert found[:, 8:10].abs().max() < 1e-6
    one[:, :, 0, 2] = 0
    found = pooled([one, other], valid)[0]
    assert (found[:, :2] == 0).all() and (found[:, 2:8] != 0).all(), 'never known'
    one[1, ..., 2] = 0
    assert pooled([one, other], valid)[2].tolist() == [n != 1 for n in range(BATCH)]


def test_a_joint_of_low_score_is_not_known_wherever_it_is():
    """A pose network names a place for every joint of an empty frame, with a low score."""
    pooled = PooledTarget(joints=4, deviation=True)
    pooled.standardizer = Unstandardized()
    valid = torch.ones(2, BATCH, TIME, dtype=torch.bool)
    one, other = (torch.rand(BATCH, TIME, 4, 3) + 0.2 for _ in range(2))
    guess = one.clone()
    one[:, 2, 1, 2] = 0
    guess[:, 2, 1] = torch.tensor([7.0, -7.0, 0.19])
    torch.testing.assert_close(pooled([guess, other], valid)[0], pooled([one, other], valid)[0])
    guess[3, ..., 2] = 0.19
    seen = pooled([guess, other], valid)[2]
    assert seen.tolist() == [n != 3 for n in range(BATCH)], 'nobody is found in the clip'


class Unstandardized(nn.Module):
    """Targets as they are pooled."""

    def forward(self, values, valid):
        return values


@settings(max_examples=20)
@given(
    st.integers(1, 6),
    st.integers(2, 9),
    st.integers(1, 5),
    st.sampled_from([0, 3, 1000]),
    st.integers(0, 999),
)
def test_the_running_statistics_are_weighted_means_of_the_batches(
    steps, size, channels, offset, seed
):
    rng = np.random.default_rng(seed)
    batches = rng.normal(offset, 2, (steps, size, channels))
    module = RunningStandardizer(channels)
    module.momentum = 0.9
    for batch in batches:
        found = module(torch.from_numpy(batch))
    shares = 0.9 ** np.arange(steps - 1, -1, -1)
    shares /= shares.sum()
    mean = (shares[:, None] * batches.mean(1)).sum(0)
    square = (shares[:, None] * (batches**2).mean(1)).sum(0)
    deviation = np.sqrt(square - mean**2)
    deviation = np.maximum(deviation, 0.01 * deviation.mean())
    # Up to what single precision rounds so far from zero.
    rounding = 2e-6 * (offset + 20)
    np.testing.assert_allclose(found * deviation, batches[-1] - mean, atol=rounding, rtol=2e-3)


def test_a_dead_channel_is_not_blown_up():
    values = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    values[:, 2] = 1e-7 * values[:, 2] + 0.5
    assert RunningStandardizer(4)(values)[:, 2].abs().max() < 1e-2


def test_evaluation_learns_nothing_and_gradients_end():
    module = RunningStandardizer(3)
    values = torch.randn(8, 3, requires_grad=True)
    assert torch.equal(module.eval()(values), values), 'nothing is known yet'
    assert not module.train()(values).requires_grad
    state = {key: value.clone() for key, value in module.state_dict().items()}
    first = module.eval()(values)
    assert torch.equal(first, module(values))
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())
    again = RunningStandardizer(3).eval()
    again.load_state_dict(state)
    assert torch.equal(again(values), first)
