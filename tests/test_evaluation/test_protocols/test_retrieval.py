"""Recall at k on a case made by hand, and against scikit-learn's neighbors."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.protocols import retrieval


def on_circle(degrees: list[float], labels: list[int], length: float = 1.0) -> Features:
    angles = np.radians(degrees)
    values = length * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return Features(values.astype(np.float32), np.array(labels))


def test_recall_on_a_made_case(make_inputs):
    gallery = on_circle([10, 20, 30, 40, 50], [1, 1, 0, 2, 2])
    # Nearest first: class 1, 1, 0, 2 for both; class 0 is third, class 2 fourth, class 3 absent.
    queries = on_circle([0, 0, 0, 0], [1, 0, 2, 3], length=50)
    metrics = retrieval.evaluate(make_inputs(gallery, queries, 4), topk=(1, 2, 3, 4, 5, 50)).metrics
    assert metrics == {'recall@1': 0.25, 'recall@2': 0.25, 'recall@3': 0.5, 'recall@4': 0.75}, (
        'five would find what the gallery holds, whatever the features'
    )
    assert retrieval.evaluate(make_inputs(gallery, queries, 4), topk=(9, 7)).metrics == {
        'recall@7': 0.75
    }


def test_recall_against_scikit_learn(make_inputs):
    generator = np.random.default_rng(0)
    gallery = Features(generator.normal(2, 1, (51, 8)), generator.integers(0, 9, 51))
    queries = Features(generator.normal(2, 1, (20, 8)), generator.integers(0, 9, 20))
    metrics = retrieval.evaluate(make_inputs(gallery, queries, 9)).metrics

    places = NearestNeighbors(metric='cosine').fit(gallery.values).kneighbors(queries.values, 50)[1]
    right = gallery.labels[places] == queries.labels[:, None]
    for k in (1, 5, 10, 20, 50):
        assert metrics[f'recall@{k}'] == right[:, :k].any(axis=1).mean()
