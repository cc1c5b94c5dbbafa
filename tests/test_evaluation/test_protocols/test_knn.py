"""kNN against a twin that loops."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation import neighbors
from mmact_ssl.evaluation.features import Features, normalize
from mmact_ssl.evaluation.neighbors import knn_scores, nearest, nearest_samples, vote
from mmact_ssl.evaluation.protocols import knn


def random_features(count: int, classes: int, seed: int, channels: int = 6) -> Features:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(count, channels)).astype(np.float32)
    return Features(values, generator.integers(0, classes, size=count))


def slow_scores(train, queries, num_classes, k, temperature, center):
    gallery = [[float(x) for x in row] for row in train.values]
    mean = [sum(column) / len(gallery) for column in zip(*gallery)] if center else [0.0] * 6
    unit = []
    for row in [*gallery, *[[float(x) for x in row] for row in queries]]:
        moved = [x - m for x, m in zip(row, mean)]
        length = math.sqrt(sum(x * x for x in moved))
        unit.append([x / length for x in moved])
    gallery, queries = unit[: len(gallery)], unit[len(gallery) :]
    scores = []
    for query in queries:
        similar = [sum(a * b for a, b in zip(query, row)) for row in gallery]
        order = sorted(range(len(gallery)), key=lambda i: -similar[i])[:k]
        score = [0.0] * num_classes
        for position in order:
            score[train.labels[position]] += math.exp(similar[position] / temperature)
        scores.append([value / sum(score) for value in score])
    return np.array(scores)


@pytest.mark.parametrize('center', [False, True])
@pytest.mark.parametrize('k', [1, 5, 100])
def test_scores_against_the_twin(k, center):
    train = random_features(40, 4, seed=0)
    queries = random_features(17, 4, seed=1).values
    similarity, position = nearest_samples(train, queries, k, center)
    scores = vote(similarity, train.labels[position], 4, temperature=0.07)
    scores = scores / scores.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        scores, slow_scores(train, queries, 4, k, 0.07, center), rtol=1e-9, atol=1e-12
    )


def test_chunks_change_nothing_and_equal_neighbors_keep_the_gallery_order(monkeypatch):
    queries, gallery = np.random.default_rng(0).normal(size=(2, 30, 5))
    expected = nearest(queries, gallery, 4)
    monkeypatch.setattr(neighbors, 'CHUNK', 7)
    for whole, part in zip(expected, nearest(queries, gallery, 4)):
        np.testing.assert_allclose(whole, part)
    gallery = np.array([[1.0, 0.0]] * 5)
    assert nearest(gallery[:1], gallery, 3)[1].tolist() == [[0, 1, 2]]


@pytest.mark.parametrize(('rows', 'k'), [(1000, 3), (1001, 20), (30, 20), (30, 30)])
def test_neighbors_are_those_of_a_full_sort_with_ties_on_every_rank(rows, k):
    generator = np.random.default_rng(0)
    queries, gallery = (generator.integers(-1, 2, size=(n, 4)).astype(float) for n in (9, rows))
    similarity, position = nearest(queries, gallery, k)
    whole = queries @ gallery.T  # of small integers, so that ties are exact
    order = np.argsort(-whole, axis=1, kind='stable')[:, :k]
    np.testing.assert_array_equal(position, order)
    np.testing.assert_array_equal(similarity, np.take_along_axis(whole, order, axis=1))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), channels=st.integers(2, 300), k=st.integers(1, 60))
def test_neighbors_that_single_precision_cannot_tell_apart(seed, channels, k):
    """Fifty rows whose cosines differ by less than 1e-9, among others that are far."""
    generator = np.random.default_rng(seed)
    query = normalize(generator.normal(size=(1, channels)))
    near = query + 1e-6 * generator.normal(size=(50, channels))
    gallery = normalize(np.concatenate([near, generator.normal(size=(200, channels))]))
    gallery = gallery[generator.permutation(250)]
    similarity, position = nearest(query, gallery, k)
    whole = gallery @ query[0]
    best = np.sort(whole)[::-1][:k]
    np.testing.assert_allclose(similarity[0], best, rtol=0, atol=1e-14)
    np.testing.assert_allclose(whole[position[0]], best, rtol=0, atol=1e-14)
    assert len(set(position[0])) == k


@pytest.mark.parametrize('deviation', [0.0, 1e-9, 0.01])
def test_collapsed_features_take_no_more_memory(deviation):
    """All rows are within rounding of each other, or equal: none of their pairs is gathered."""
    generator = np.random.default_rng(0)
    gallery = normalize(1 + deviation * generator.normal(size=(2000, 64)))
    tracemalloc.start()
    similarity, position = nearest(gallery[:100], gallery, 5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * 2000 * 64 * 8 / 2, 'half of what the gathered rows of one side take'
    best = np.sort(gallery[:100] @ gallery.T, axis=1)[:, ::-1][:, :5]
    np.testing.assert_allclose(similarity, best, rtol=0, atol=1e-14)
    own = np.einsum('qd,qkd->qk', gallery[:100], gallery[position])
    np.testing.assert_allclose(own, best, rtol=0, atol=1e-14)


@pytest.mark.parametrize('queries', [3, 200])
@pytest.mark.parametrize('k', [1, 5])
def test_of_a_crowd_of_equal_rows_the_first_are_found(queries, k):
    """Also behind a nearer row, among others, and whatever number of queries is multiplied."""
    generator = np.random.default_rng(0)
    gallery = normalize(generator.normal(size=(1003, 64)))
    gallery[400:] = gallery[400]
    nearest_row = normalize(gallery[400:401] + 0.001 * generator.normal(size=(1, 64)))
    gallery[900] = nearest_row
    _, position = nearest(np.repeat(nearest_row, queries, axis=0), gallery, k)
    assert (position == [900, 400, 401, 402, 403][:k]).all()
    _, position = nearest(np.repeat(gallery[400:401], queries, axis=0), gallery, k)
    assert (position == 400 + np.arange(k)).all()


def test_a_small_temperature_does_not_overflow():
    train = random_features(10, 2, seed=0)
    assert np.isfinite(knn_scores(train, train.values, 2, 5, temperature=1e-4)).all()


def test_separate_classes_are_told_apart(make_task):
    train, test = random_features(60, 3, seed=0), random_features(30, 3, seed=1)
    offsets = 20 * np.eye(6, dtype=np.float32)
    train = Features(train.values + offsets[train.labels], train.labels)
    test = Features(test.values + offsets[test.labels], test.labels)
    found = knn.evaluate(make_task(train, test, 3), k=(1, 5), main_k=5)
    assert found.metrics == {'top1': 1.0, 'top1@k=1': 1.0, 'top1@k=5': 1.0}
    assert found.details['confusion'] == np.diag(np.bincount(test.labels)).tolist()


def test_the_confusion_matrix_is_that_of_the_main_k(make_task):
    train = Features(
        np.array([[1, 0], [0.9, 0.1], [0.8, 0.2], [0, 1]], np.float32), np.array([0, 1, 1, 0])
    )
    query = Features(np.array([[1.0, 0.0]], np.float32), np.array([0]))
    for main_k, top1, confusion in ((1, 1.0, [[1, 0], [0, 0]]), (3, 0.0, [[0, 1], [0, 0]])):
        task = make_task(train, query, 2)
        found = knn.evaluate(task, k=(1, 3), main_k=main_k, temperature=10)
        assert (found.metrics['top1'], found.details['confusion']) == (top1, confusion)


def test_one_k_needs_no_list(make_task):
    train = random_features(20, 2, seed=0)
    assert knn.evaluate(make_task(train, train, 2), k=10).metrics.keys() == {'top1', 'top1@k=10'}


def test_neighbors_that_are_all_of_the_training_samples_are_left_out(make_task):
    for count, k in ((21, (5, 10, 20)), (20, (5, 10)), (10, (5,)), (4, (5,))):
        train = random_features(count, 2, seed=0)
        metrics = knn.evaluate(make_task(train, random_features(9, 2, seed=1), 2)).metrics
        assert metrics.keys() == {'top1', *(f'top1@k={each}' for each in k)}
        assert metrics['top1'] == metrics[f'top1@k={min(10, max(k))}']


def test_the_number_of_neighbors_in_the_place_of_the_main_one_is_said(make_task, monkeypatch):
    said = []
    monkeypatch.setattr(knn, 'print_log', lambda line, *_: said.append(line))
    for count in (11, 10):
        train = random_features(count, 2, seed=0)
        knn.evaluate(make_task(train, random_features(9, 2, seed=1), 2))
    assert said == ['knn: main_k=10 reaches the 10 training samples, top1 is that of k=5']


@pytest.mark.parametrize(
    'wrong',
    [
        dict(k=(5,), main_k=3),
        dict(k=(0,), main_k=0),
        dict(k=5, main_k=3),
        dict(k='10', main_k=10),
        dict(k=[5, 'x'], main_k=5),
    ],
)
def test_wrong_settings_are_refused(make_task, wrong):
    train = random_features(10, 2, seed=0)
    with pytest.raises(ConfigError, match=f'main_k={wrong["main_k"]}'):
        knn.evaluate(make_task(train, train, 2), **wrong)
