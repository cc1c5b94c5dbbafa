"""Rough products, their bound, and the exact neighbors that are found with them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.errors import DataError
from mmact_ssl.evaluation import neighbors, rough_products
from mmact_ssl.evaluation.features import normalize
from mmact_ssl.evaluation.neighbors import nearest
from mmact_ssl.evaluation.rough_products import GalleryCopy, multiplies_bfloat16

TYPES = [[torch.bfloat16], [torch.float32], [torch.bfloat16, torch.float32], []]


def slow_neighbors(queries, gallery, k):
    """A full, stable sort of all similarities in double precision."""
    whole = np.array([[float(np.dot(query, row)) for row in gallery] for query in queries])
    order = np.argsort(-whole, axis=1, kind='stable')[:, :k]
    return np.take_along_axis(whole, order, axis=1), order


@pytest.mark.parametrize('types', TYPES)
@pytest.mark.parametrize(('rows', 'k'), [(3000, 3), (1001, 20), (30, 29), (30, 30), (3, 5), (1, 1)])
def test_neighbors_are_those_of_a_full_sort(rows, k, types):
    generator = np.random.default_rng(0)
    queries, gallery = (normalize(generator.normal(size=(n, 32))) for n in (40, rows))
    similarity, position = nearest(queries, gallery, k, np.asarray, types)
    best, order = slow_neighbors(queries, gallery, k)
    np.testing.assert_array_equal(position, order)
    np.testing.assert_allclose(similarity, best, rtol=0, atol=1e-14)


@pytest.mark.parametrize('types', TYPES)
@pytest.mark.parametrize(('rows', 'k'), [(1000, 3), (1001, 20), (30, 20), (30, 30)])
def test_equal_neighbors_keep_the_gallery_order(rows, k, types):
    generator = np.random.default_rng(0)
    queries, gallery = (generator.integers(-1, 2, size=(n, 4)) / 2 for n in (40, rows))
    similarity, position = nearest(queries, gallery, k, np.asarray, types)
    best, order = slow_neighbors(queries, gallery, k)  # of small integers: ties are exact
    np.testing.assert_array_equal(position, order)
    np.testing.assert_array_equal(similarity, best)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    channels=st.integers(2, 200),
    k=st.integers(1, 60),
    offset=st.sampled_from([0.0, 1.0, 30.0]),
    noise=st.sampled_from([1e-9, 1e-6, 1e-3, 0.03, 1.0]),
    types=st.sampled_from(TYPES),
)
def test_any_features_have_the_neighbors_of_double_precision(
    seed, channels, k, offset, noise, types
):
    """Narrow cones, and rows of a class that are alike up to the noise."""
    generator = np.random.default_rng(seed)
    centers = generator.normal(size=(8, channels)) + offset
    rows = centers[generator.integers(8, size=600)] + noise * generator.normal(size=(600, channels))
    queries, gallery = normalize(rows[:30]), normalize(rows)
    similarity, position = nearest(queries, gallery, k, np.asarray, types)
    whole = queries @ gallery.T
    best = np.sort(whole, axis=1)[:, ::-1][:, :k]
    np.testing.assert_allclose(similarity, best, rtol=0, atol=1e-14)
    np.testing.assert_allclose(np.take_along_axis(whole, position, 1), best, rtol=0, atol=1e-14)
    assert all(len(set(row)) == k for row in position)


def worst_rows(generator, count, channels):
    """Rows whose values lie just below or above the middle of two bfloat16 numbers, all signs."""
    middle = (1 + (2 * generator.integers(0, 8, (count, channels)) + 1) / 256) / 16
    near = middle * (1 + generator.choice([-1e-5, 1e-5], (count, channels)))
    return near * generator.choice([-1.0, 1.0], (count, channels))


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float32])
@pytest.mark.parametrize('channels', [3, 64, 512])
@pytest.mark.parametrize('aligned', [False, True])
def test_the_bound_holds_where_rounding_is_worst(channels, aligned, dtype):
    generator = np.random.default_rng(0)
    gallery = worst_rows(generator, 300, channels)
    queries = worst_rows(generator, 40, channels)
    if aligned:  # all are rounded up by as much as can be, and all products have one sign
        gallery[:] = queries[:] = (1 + 1 / 256) / 16 * (1 + 1e-5)
        gallery[np.arange(300) % 4 < 2] *= -1  # the center is 0
    copy = GalleryCopy(gallery, lambda rows: rows, dtype)
    assert copy.lost <= float(torch.finfo(dtype).eps) * copy.longest
    exact = torch.from_numpy(queries)
    rounded = exact.to(dtype)
    true = (gallery - copy.center) @ queries.T  # (G, Q)
    sums = copy.rows.double().numpy() @ rounded.double().numpy().T
    error = copy.error(exact, rounded).numpy()
    assert (np.abs(sums - true) <= error).all(), 'rows that are rounded, sums that are not'
    products = copy._multiply(rounded).double().numpy()
    output = float(torch.finfo(dtype).eps) * np.abs(products)
    assert (np.abs(products - true) <= error + output).all()
    if aligned and dtype == torch.bfloat16:
        assert (np.abs(sums - true) > 0.9 * error).all(), 'the bound is far from what happens'


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float32])
def test_candidates_hold_neighbors_that_rounding_puts_behind_others(dtype):
    """Of rows that are equal but for less than the rounding, the best is found with few others."""
    generator = np.random.default_rng(0)
    query = normalize(worst_rows(generator, 1, 64))
    for step in np.geomspace(1e-7, 1e-2, 20):
        rows = normalize(query + step * generator.normal(size=(4000, 64)))
        copy = GalleryCopy(rows, np.asarray, dtype)
        (_, position), is_clear = copy.candidates(query, 5)
        best = np.argsort(-(rows @ query[0]))[:5]
        assert not is_clear.any() or set(best) <= set(position)
        assert len(position) <= rough_products.CROWD * 5


@pytest.mark.parametrize('types', TYPES)
@pytest.mark.parametrize('noise', [0.0, 1e-9, 0.01])
def test_collapsed_features_take_little_memory(noise, types):
    generator = np.random.default_rng(0)
    gallery = normalize(1 + noise * generator.normal(size=(3000, 64)))
    tracemalloc.start()  # it sees the arrays of numpy alone
    similarity, position = nearest(gallery[:100], gallery, 5, np.asarray, types)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 100 * 3000 * 8, 'a few times what all similarities take'
    whole = gallery[:100] @ gallery.T
    best = np.sort(whole, axis=1)[:, ::-1][:, :5]
    np.testing.assert_allclose(similarity, best, rtol=0, atol=1e-14)
    np.testing.assert_allclose(np.take_along_axis(whole, position, 1), best, rtol=0, atol=1e-14)


def test_types_take_over_from_each_other(monkeypatch):
    """Queries in a crowd of near rows go on to single precision, in a closer one to double."""
    generator = np.random.default_rng(0)
    query = np.concatenate([normalize(generator.normal(size=(1, 64)))] * 2)
    asked = []
    original = GalleryCopy.candidates

    def candidates(self, queries, k):
        pairs, is_clear = original(self, queries, k)
        asked.append((self.rows.dtype, bool(is_clear.all())))
        return pairs, is_clear

    monkeypatch.setattr(GalleryCopy, 'candidates', candidates)
    for step, clear in ((0.3, [True]), (0.01, [False, True]), (1e-9, [False, False])):
        asked.clear()
        near = query[:1] + step * generator.normal(size=(1000, 64))
        gallery = normalize(np.concatenate([near, generator.normal(size=(2000, 64))]))
        similarity, _ = nearest(query, gallery, 5, np.asarray, TYPES[2])
        assert [is_clear for _, is_clear in asked] == clear
        best = np.sort(gallery @ query[0])[::-1][:5]
        np.testing.assert_allclose(similarity, [best, best], rtol=0, atol=1e-14)


@pytest.mark.parametrize('native', [False, True])
def test_the_type_is_that_of_the_processor(monkeypatch, native):
    asked = []

    class NothingClear:
        def __init__(self, gallery, project, dtype):
            asked.append(dtype)

        def candidates(self, queries, k):
            none = np.zeros(0, np.int64)
            return (none, none), np.zeros(len(queries), bool)

    monkeypatch.setattr(neighbors, 'GalleryCopy', NothingClear)
    monkeypatch.setattr(neighbors, 'multiplies_bfloat16', lambda: native)
    nearest(np.eye(neighbors.FEW)[1:], np.eye(neighbors.FEW), 1)
    assert asked == []
    nearest(np.eye(neighbors.FEW), np.eye(neighbors.FEW), 1)
    assert asked == (TYPES[2] if native else TYPES[1])


@pytest.mark.parametrize(
    ('capabilities', 'expected'),
    [
        (dict(amx_bf16=True, avx512_bf16=True), True),
        (dict(amx_bf16=False, avx512_bf16=True), True),
        (dict(amx_bf16=False, avx512_bf16=False, avx512_f=True), False),
        (dict(cpu_name='of another maker'), False),
    ],
)
def test_bfloat16_is_for_processors_that_multiply_it(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: capabilities, raising=False)
    monkeypatch.setattr(torch.backends.mkldnn, 'is_available', lambda: True)
    assert multiplies_bfloat16() is expected


def test_an_older_torch_is_not_asked(monkeypatch):
    assert multiplies_bfloat16() in (True, False)
    monkeypatch.delattr(torch.cpu, 'get_capabilities', raising=False)
    assert multiplies_bfloat16() is False


@pytest.mark.parametrize('in_turn', [False, True])
@pytest.mark.parametrize(('dtype', 'limit'), [(torch.bfloat16, 110), (torch.float32, 20)])
def test_classes_in_any_order_leave_few_candidates(dtype, limit, in_turn):
    """Of 80 classes of 100 rows, bfloat16 leaves a query's class, single precision near rows."""
    generator = np.random.default_rng(0)
    classes = np.arange(8000) % 80
    classes = classes if in_turn else np.sort(classes)
    centers = generator.normal(size=(80, 64))
    gallery = normalize(centers[classes] + 0.3 * generator.normal(size=(8000, 64)))
    queries = normalize(centers + 0.3 * generator.normal(size=(80, 64)))
    (query, _), is_clear = GalleryCopy(gallery, np.asarray, dtype).candidates(queries, 10)
    assert is_clear.all()
    assert len(query) < limit * len(queries)


@pytest.mark.parametrize('types', [[], [torch.float32], [torch.bfloat16]])
@pytest.mark.parametrize('rows', [(1, 301), (2, 301), (15, 1029), (70, 301)])
def test_copies_of_a_row_keep_the_gallery_order(rows, types):
    """Products of matrices give copies values that differ in the last bits, by their place."""
    generator = np.random.default_rng(0)
    several = normalize(generator.normal(size=(100, 512)))
    number = np.arange(rows[1]) % 100
    queries = normalize(generator.normal(size=(rows[0], 512)))
    similarity, position = nearest(queries, several[number], 5, np.asarray, types)
    for row, (found, values) in enumerate(zip(position, similarity)):
        classes = np.argsort(-(several @ queries[row]), kind='stable')
        expected = np.concatenate([np.flatnonzero(number == one) for one in classes[:5]])[:5]
        np.testing.assert_array_equal(found, expected)
        assert len(set(values[number[found] == number[found[0]]])) == 1


def test_features_that_are_not_finite_are_refused():
    gallery = normalize(np.random.default_rng(0).normal(size=(2000, 8)))
    gallery[1500, 3] = np.nan
    with pytest.raises(DataError, match='features 1280 to 1535 are not all finite'):
        nearest(gallery[:99], gallery, 5, np.asarray, [torch.float32])
