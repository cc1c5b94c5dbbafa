"""Nearest rows are those of a full sort in double precision, in the gallery's order where equal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.errors import DataError
from mmact_ssl.evaluation import neighbors
from mmact_ssl.evaluation.features import normalize
from mmact_ssl.evaluation.neighbors import nearest


@pytest.fixture(params=[(1024, 4096), (7, 300)])
def sizes(request, monkeypatch):
    """Queries and gallery rows at a time: one chunk, and several of which the last is smaller."""
    monkeypatch.setattr(neighbors, 'CHUNK', request.param[0])
    monkeypatch.setattr(neighbors, 'BLOCK', request.param[1])


def slow_neighbors(queries, gallery, k):
    """A full, stable sort of all similarities."""
    whole = np.array([[float(np.dot(query, row)) for row in gallery] for query in queries])
    order = np.argsort(-whole, axis=1, kind='stable')[:, :k]
    return np.take_along_axis(whole, order, axis=1), order


def check_best(queries, gallery, k, atol=1e-10):
    """The similarities are the k largest, to within the rounding of a product."""
    similarity, position = nearest(queries, gallery, k)
    whole = queries @ gallery.T
    best = np.sort(whole, axis=1)[:, ::-1][:, :k]
    np.testing.assert_allclose(similarity, best, rtol=0, atol=atol)
    np.testing.assert_allclose(np.take_along_axis(whole, position, 1), best, rtol=0, atol=atol)
    assert all(len(set(row)) == min(k, len(gallery)) for row in position)


@pytest.mark.parametrize('ties', [False, True])
@pytest.mark.parametrize(('rows', 'k'), [(1000, 3), (1001, 20), (30, 29), (30, 30), (3, 5), (1, 1)])
def test_neighbors_are_those_of_a_full_sort(rows, k, ties, sizes):
    generator = np.random.default_rng(0)
    if ties:  # small integers, so that equal values are exactly equal
        queries, gallery = (generator.integers(-1, 2, size=(n, 4)) / 2 for n in (20, rows))
    else:
        queries, gallery = (normalize(generator.normal(size=(n, 32))) for n in (20, rows))
    similarity, position = nearest(queries, gallery, k)
    best, order = slow_neighbors(queries, gallery, k)
    np.testing.assert_array_equal(position, order)
    np.testing.assert_allclose(similarity, best, rtol=0, atol=1e-10)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    channels=st.integers(2, 200),
    k=st.integers(1, 60),
    offset=st.sampled_from([0.0, 1.0, 30.0]),
    noise=st.sampled_from([0.0, 1e-9, 1e-6, 1e-3, 0.03, 1.0]),
)
def test_any_features_have_the_neighbors_of_double_precision(seed, channels, k, offset, noise):
    """Narrow cones, and rows of a class that are alike up to the noise."""
    generator = np.random.default_rng(seed)
    centers = generator.normal(size=(8, channels)) + offset
    rows = centers[generator.integers(8, size=600)] + noise * generator.normal(size=(600, channels))
    check_best(normalize(rows[:30]), normalize(rows), k)


@pytest.mark.parametrize('rows', [(1, 301), (2, 301), (15, 1029), (70, 301)])
def test_copies_of_a_row_keep_the_gallery_order(rows, sizes):
    """Products of matrices give copies values that differ in the last bits, by their place."""
    generator = np.random.default_rng(0)
    several = normalize(generator.normal(size=(100, 512)))
    number = np.arange(rows[1]) % 100
    queries = normalize(generator.normal(size=(rows[0], 512)))
    similarity, position = nearest(queries, several[number], 5)
    for row, (found, values) in enumerate(zip(position, similarity)):
        classes = np.argsort(-(several @ queries[row]), kind='stable')
        expected = np.concatenate([np.flatnonzero(number == one) for one in classes[:5]])[:5]
        np.testing.assert_array_equal(found, expected)
        assert len(set(values[number[found] == number[found[0]]])) == 1


def test_features_that_are_not_finite_are_refused():
    gallery = normalize(np.random.default_rng(0).normal(size=(2000, 8)))
    gallery[1500, 3] = np.nan
    with pytest.raises(DataError, match='features 0 to 1999 are not all finite'):
        nearest(gallery[:99], gallery, 5)
