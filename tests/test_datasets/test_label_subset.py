"""Drawing a part of the labels: the same share of every class, nested, whatever the order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.datasets.label_subset import draw_labels, label_subset
from mmact_ssl.errors import ConfigError

sizes = st.lists(st.integers(1, 30), min_size=1, max_size=6)
fractions = st.floats(0.01, 1.0)
seeds = st.integers(0, 2**31)


def made(class_sizes: list[int]) -> tuple[list[str], np.ndarray]:
    labels = np.repeat(np.arange(len(class_sizes)), class_sizes)
    return [f'v{i:04d}.mp4' for i in range(len(labels))], labels


def draw_nested(draw, names, labels, sizes, seed, *groups):
    """The larger of two draws, checked to hold the smaller one, whatever the order of names."""
    few, many = (draw(names, labels, size, seed, *groups) for size in sorted(sizes))
    assert set(few) <= set(many) and (np.diff(many) > 0).all()
    order = np.random.default_rng(seed).permutation(len(names))
    shuffled = [names[i] for i in order], labels[order], min(sizes), seed
    drawn = draw(*shuffled, *(group[order] for group in groups))
    assert {names[i] for i in few} == {names[order[i]] for i in drawn}
    return many


@settings(max_examples=100)
@given(sizes, fractions, fractions, seeds)
def test_every_class_keeps_its_share(class_sizes, one, other, seed):
    names, labels = made(class_sizes)
    many = draw_nested(label_subset, names, labels, (one, other), seed)
    counts = np.bincount(labels[many], minlength=len(class_sizes))
    assert counts.tolist() == [max(1, round(max(one, other) * size)) for size in class_sizes]


@pytest.mark.parametrize('fraction', [0.0, -0.1, 1.5])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(ConfigError, match='label fraction'):
        label_subset(['a'], np.array([0]), fraction, 0)


@settings(max_examples=50)
@given(sizes, st.integers(1, 12), st.integers(1, 12), seeds, st.integers(1, 8))
def test_a_number_of_labels_a_class(class_sizes, one, other, seed, num_groups):
    names, labels = made(class_sizes)
    groups = np.random.default_rng(seed).integers(num_groups, size=len(names))
    for of in ((), (groups,)):
        many = draw_nested(draw_labels, names, labels, (one, other), seed, *of)
        counts = np.bincount(labels[many], minlength=len(class_sizes))
        assert counts.tolist() == [min(size, max(one, other)) for size in class_sizes]
    # From as many sources as can be.
    for label in np.unique(labels):
        own = many[labels[many] == label]
        known = len(set(groups[labels == label]))
        assert len(set(groups[own])) == min(known, len(own))


def test_a_number_of_labels_is_drawn_as_a_part_of_that_size():
    names, labels = made([20, 20])
    np.testing.assert_array_equal(
        draw_labels(names, labels, 5, 3), label_subset(names, labels, 0.25, 3)
    )
    assert not np.array_equal(draw_labels(names, labels, 5, 3), draw_labels(names, labels, 5, 4))
