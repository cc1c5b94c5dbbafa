"""Pooling over what is there, against loops."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.models.necks.skeleton_pooling import SkeletonPooling


def make_valid(lengths: list[int], persons: list[int], num_persons: int, time: int):
    valid = torch.zeros(len(lengths), num_persons, time, dtype=torch.bool)
    for b, (length, present) in enumerate(zip(lengths, persons)):
        valid[b, num_persons - present :, :length] = True  # the last ones, not the first
    return valid


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    num_persons=st.integers(1, 2),
    merged=st.booleans(),
    stride=st.integers(1, 4),
    joints=st.integers(1, 3),
    data=st.data(),
)
def test_equals_a_loop_over_valid_entries(seed, num_persons, merged, stride, joints, data):
    time = 4 * data.draw(st.integers(1, 3))
    lengths = data.draw(st.lists(st.integers(1, time), min_size=3, max_size=3))
    persons = data.draw(st.lists(st.integers(1, num_persons), min_size=3, max_size=3))
    valid = make_valid(lengths, persons, num_persons, time)
    mapped_time = math.ceil(time / stride)
    generator = torch.Generator().manual_seed(seed)
    shape = (3, 1 if merged else num_persons, 5, mapped_time, joints)
    feature_map = torch.randn(shape, generator=generator)
    counted = torch.zeros(shape, dtype=torch.bool)
    for b in range(3):
        frames = math.ceil(lengths[b] * mapped_time / time)
        first = 0 if merged else num_persons - persons[b]
        counted[b, first:, :, :frames] = True
    feature_map = feature_map.masked_fill(~counted, math.nan)

    mean = SkeletonPooling()(feature_map, valid)
    both = SkeletonPooling('mean_max')(feature_map, valid)
    for b in range(3):
        for c in range(5):
            values = feature_map[b, :, c][counted[b, :, c]].double()
            assert float(mean[b, c]) == pytest.approx(float(values.mean()), abs=1e-5)
            assert float(both[b, 5 + c]) == pytest.approx(float(values.max()))
    assert torch.equal(both[:, :5], mean)


def test_without_validity_everything_counts():
    feature_map = torch.randn(2, 2, 3, 4, 5)
    pooled = SkeletonPooling('mean_max')(feature_map)
    torch.testing.assert_close(pooled[:, :3], feature_map.mean((1, 3, 4)))
    torch.testing.assert_close(pooled[:, 3:], feature_map.amax((1, 3, 4)))


def test_padding_gets_no_gradient():
    feature_map = torch.randn(2, 2, 3, 4, 5, requires_grad=True)
    valid = make_valid([4, 2], [2, 1], num_persons=2, time=4)
    SkeletonPooling('mean_max')(feature_map, valid).square().sum().backward()
    counted = valid[:, :, None, :, None].expand_as(feature_map)
    assert not feature_map.grad[~counted].any()
    assert bool((feature_map.grad[counted] != 0).all())


def test_of_several_streams_what_is_made_of_each_stays_together():
    feature_map = torch.randn(2, 1, 6, 4, 1)
    pooled = SkeletonPooling('mean_max', streams=3)(feature_map)
    each = [SkeletonPooling('mean_max')(part) for part in feature_map.chunk(3, dim=2)]
    assert torch.equal(pooled, torch.cat(each, dim=1))
