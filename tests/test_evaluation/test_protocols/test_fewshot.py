"""Few labels a class: the draws, each readout against slow formulas, and what the data lacks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import normalize

from mmact_ssl.datasets.label_subset import draw_labels
from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.protocols import fewshot
from mmact_ssl.evaluation.protocols.fewshot import INVERSE_STRENGTH, READOUTS


def blobs(sizes: tuple[int, ...], seed: int, channels: int = 8, distance: float = 3) -> Features:
    """Classes around different places, far from zero, with channels that depend on each other."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    mixing = np.eye(channels) + np.tri(channels)
    noise = generator.normal(size=(len(labels), channels)) @ mixing
    places = distance * np.eye(len(sizes), channels)
    return Features((places[labels] + noise + 10).astype(np.float32), labels)


def test_nearest_mean_against_scikit_learn(make_inputs):
    train, test = blobs((9, 14, 20), 0), blobs((30, 30, 30), 1)
    inputs = make_inputs(train, test, 3)
    found = fewshot.evaluate(inputs, labels=(1, 4), draws=5)
    center = train.values.mean(axis=0, dtype=np.float64)
    unit, queries = (normalize(part.values - center) for part in (train, test))
    for count in (1, 4):
        drawn = [draw_labels(inputs.train.names, train.labels, count, seed) for seed in range(5)]
        expected = [
            NearestCentroid().fit(unit[part], train.labels[part]).score(queries, test.labels)
            for part in drawn
        ]
        assert found.details['draws'][f'nearest-mean@{count}'] == pytest.approx(expected)
        assert found.metrics[f'nearest-mean@{count}'] == pytest.approx(np.mean(expected))
        assert len(set(expected)) > 1, 'the case should depend on the draw'
    assert found.metrics['chance'] == pytest.approx(1 / 3)


def test_a_test_clip_is_classified_alone(make_inputs):
    """Other test clips change no answer: nothing is centered or fitted on them."""
    train, test = blobs((9, 9, 9), 0), blobs((20, 20, 20), 1)
    far = Features(test.values + np.float32(7), test.labels)
    both = Features(np.concatenate([test.values, far.values]), np.tile(test.labels, 2))
    near, away, joint = (
        fewshot.evaluate(make_inputs(train, part, 3), labels=(2,), draws=4).details['draws']
        for part in (test, far, both)
    )
    assert near != away, 'the clips should matter'
    for metric, values in joint.items():
        assert values == pytest.approx(np.mean([near[metric], away[metric]], axis=0))


@pytest.mark.parametrize('channels', [5, 40])
def test_the_discriminant_against_the_formula_in_all_channels(channels):
    """The fit in the directions of the samples is the fit in all directions."""
    train = blobs((4, 6, 5), 0, channels)
    queries = blobs((9, 9, 9), 1, channels).values.astype(np.float64)
    values = train.values.astype(np.float64)
    means = np.stack([values[train.labels == label].mean(axis=0) for label in range(3)])
    shrunken = ledoit_wolf(values - means[train.labels], assume_centered=True)[0]
    inverse = np.linalg.inv(shrunken)
    expected = np.stack([queries @ inverse @ m - m @ inverse @ m / 2 for m in means], axis=1)
    found = fewshot.discriminant(values, train.labels, queries)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_logistic_regression_against_scikit_learn():
    train, queries = blobs((3, 3, 3), 0, 6), blobs((9, 9, 9), 1, 6).values - 10.0
    values = train.values - 10.0
    best = LogisticRegression(C=INVERSE_STRENGTH, tol=1e-10, max_iter=9999)
    expected = best.fit(values, train.labels).decision_function(queries)
    found = fewshot.logistic(values, train.labels, queries)
    np.testing.assert_allclose(
        found - found.mean(axis=1, keepdims=True),
        expected - expected.mean(axis=1, keepdims=True),
        atol=0.05 * np.abs(expected).max(),
    )
    np.testing.assert_array_equal(found.argmax(axis=1), expected.argmax(axis=1))


@settings(max_examples=20)
@given(st.sampled_from(sorted(READOUTS)), st.integers(2, 4), st.integers(2, 5), st.integers(1, 30))
def test_scores_have_a_column_for_each_class(readout, classes, count, channels):
    train, test = blobs((count,) * classes, 0, channels), blobs((3,) * classes, 1, channels)
    scores = READOUTS[readout](train.values.astype(float), train.labels, test.values.astype(float))
    assert scores.shape == (3 * classes, classes)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize('readout', sorted(READOUTS))
def test_classes_that_lie_far_apart_are_all_found(make_inputs, readout):
    train, test = (blobs((12,) * 4, seed, 50, distance=200) for seed in (0, 1))
    metrics = fewshot.evaluate(make_inputs(train, test, 4), labels=(2, 5), draws=3).metrics
    assert metrics[f'{readout}@2'] == metrics[f'{readout}@5'] == 1


def test_features_that_have_collapsed_are_at_chance(make_inputs):
    train, test = (Features(np.ones((12, 5), np.float32), np.arange(12) % 3) for _ in range(2))
    metrics = fewshot.evaluate(make_inputs(train, test, 3), labels=(1, 2), draws=2).metrics
    assert set(metrics.values()) == {1 / 3}


def test_labels_that_share_a_pattern_join_the_draw(make_inputs):
    """With two cameras one label of a class is two clips, enough for the discriminant."""
    train, test = blobs((8, 8), 0), blobs((20, 20), 1)
    inputs = make_inputs(train, test, 2, [f'p{i // 2}_v{i % 2}' for i in range(16)])
    inputs.test.names.extend(map(str, range(40)))
    assert 'lda@1' not in fewshot.evaluate(inputs, labels=(1,), draws=2).metrics
    inputs.cfg.shared_label_pattern = r'(p\d+)_'
    assert 'lda@1' in fewshot.evaluate(inputs, labels=(1,), draws=2).metrics


def test_encoders_get_the_same_labels_and_groups_change_them(make_inputs):
    names = [f'v_g{i % 4}_{i}' for i in range(24)]

    def drawn(seed, **options):
        train, test = blobs((12, 12), seed), blobs((5, 5), 9)
        inputs = make_inputs(train, test, 2, names, seed=seed)
        return fewshot.evaluate(inputs, labels=(1, 3), draws=3, **options).details['drawn']

    assert drawn(0) == drawn(1)
    assert drawn(0) != drawn(0, group_pattern=r'_g(\d)_')


def test_what_the_classes_do_not_have(make_inputs, monkeypatch):
    inputs = make_inputs(blobs((2, 4), 0), blobs((9, 9), 1), 2)
    lines = []
    monkeypatch.setattr(fewshot, 'log_once', lines.append)
    found = fewshot.evaluate(inputs, labels=(10, 1, 3, 5), draws=4)
    counts = {name: len(values) for name, values in found.details['draws'].items()}
    assert counts['nearest-mean@1'] == counts['nearest-mean@3'] == 4
    assert counts['nearest-mean@5'] == 1, 'all labels can be drawn in one way alone'
    assert not any(name.endswith('@10') for name in counts)
    some, every = lines
    assert '1 of 2 classes have fewer than 3 labeled training clips' in some
    assert 'no class has more than 4 labeled training clips: @5 takes all labels, in one' in every


@pytest.mark.parametrize('options', [dict(labels=(0, 1)), dict(labels=()), dict(draws=1)])
def test_wrong_numbers_are_refused(make_inputs, options):
    with pytest.raises(ConfigError, match='give positive numbers of labels, and two draws'):
        fewshot.evaluate(make_inputs(blobs((5, 5), 0), blobs((5, 5), 1), 2), **options)
