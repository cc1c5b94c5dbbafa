"""The linear probe: right, standardized by the training split, and blind to the test split."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.protocols import linear
from mmact_ssl.evaluation.protocols.linear import fit_probe


def blobs(per_class: int, seed: int, classes: int = 3, spread: float = 1.0) -> Features:
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), per_class)
    centers = 3 * np.eye(classes, 5)
    values = centers[labels] + spread * generator.normal(size=(len(labels), 5))
    return Features((values * [1, 10, 0.1, 1, 1] + 4).astype(np.float32), labels)


def test_it_is_scikit_learns(make_inputs):
    train, test = blobs(20, 0, spread=2.0), blobs(15, 1, spread=2.0)
    found = linear.evaluate(make_inputs(train, test, 3), penalties=(0.1,))
    slow = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, tol=1e-8))
    predicted = slow.fit(train.values, train.labels).predict(test.values)
    confusion = np.zeros((3, 3), dtype=int)
    np.add.at(confusion, (test.labels, predicted), 1)
    assert found.details['confusion'] == confusion.tolist()
    assert found.metrics['top1'] == (predicted == test.labels).mean()
    assert found.metrics['mean_class'] == pytest.approx((np.diag(confusion) / 15).mean())
    assert 0.4 < found.metrics['top1'] < 1, 'the case should be neither trivial nor hopeless'


def test_the_test_split_is_never_fitted(make_inputs):
    """Other test clips change no answer, and no penalty."""
    train, test = blobs(10, 0, spread=2.0), blobs(10, 1, spread=2.0)
    far = Features(test.values + np.float32(3), test.labels)
    both = Features(np.concatenate([test.values, far.values]), np.tile(test.labels, 2))
    near, away, joint = (
        linear.evaluate(make_inputs(train, part, 3), penalties=(0.01, 0.1, 1.0))
        for part in (test, far, both)
    )
    right = np.concatenate([near.right['linear'], away.right['linear']], axis=1)
    np.testing.assert_array_equal(joint.right['linear'], right)
    assert near.metrics['top1'] != away.metrics['top1'], 'the clips should matter'
    assert near.details['C'] == away.details['C'] and near.details['folds'] == 5


def test_the_penalty_is_chosen_for_unseen_samples():
    generator = np.random.default_rng(0)
    noise = Features(generator.normal(size=(40, 100)), np.repeat([0, 1], 20))
    noise.values[:, 0] += 1.5 * noise.labels
    assert fit_probe(noise, penalties=(1e-3, 1e3))[1] == 1e-3


def test_groups_come_from_the_names_of_the_labeled_samples(make_inputs, monkeypatch):
    train = blobs(4, 0)
    inputs = make_inputs(train, train, 3, [f's{i % 4}_{i}' for i in range(12)])
    inputs.labeled = np.array([0, 1, 5, 6, 8, 11])
    asked = []
    monkeypatch.setattr(
        linear, 'fit_probe', lambda _, groups, *_settings: asked.append(groups) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        linear.evaluate(inputs, group_pattern=r's(\d)_')
    assert asked[0].tolist() == ['0', '1', '1', '2', '0', '3']
    # A gap is one in the whole list, not in the labeled part of it.
    numbers = (0, 1, 2, 5, 6, 7, 8, 20, 21, 22, 23, 30)
    inputs.train.names[:] = [f'run_{number:03}.mp4' for number in numbers]
    with pytest.raises(ZeroDivisionError):
        linear.evaluate(inputs, group_pattern=r'(\w+)_(\d+)')
    assert asked[1].tolist() == [0, 0, 1, 1, 2, 3]


def near_duplicates(generator, sources: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Five clips, nearly alike, of each of ``sources`` videos a class: values, labels, sources."""
    labels = np.repeat(np.arange(3), sources)
    videos = generator.normal(size=(3 * sources, 20)) + np.eye(3, 20)[labels]
    groups = np.tile(np.arange(3 * sources), 5)  # folds of neighbors cut through every video
    values = videos[groups] + 0.1 * generator.normal(size=(15 * sources, 20))
    return values, labels[groups], groups


def test_near_duplicates_choose_a_weak_penalty_unless_their_group_is_known():
    generator = np.random.default_rng(0)
    values, labels, groups = near_duplicates(generator, 12)
    train = Features(values, labels)
    penalties = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
    leaking, grouped = (
        fit_probe(train, known, penalties, one_standard_error=True) for known in (None, groups)
    )
    assert leaking[1] == 10.0 and grouped[1] == 1e-3
    values, labels, _ = near_duplicates(generator, 100)
    assert grouped[0].score(values, labels) > leaking[0].score(values, labels) + 0.05


@given(
    scores=arrays(
        np.float64,
        st.tuples(st.integers(2, 6), st.integers(1, 6)),
        elements=st.integers(0, 100).map(lambda hits: hits / 100),
    )
)
def test_one_standard_error_against_the_formula(scores):
    folds, candidates = scores.shape
    means = [sum(column) / folds for column in scores.T]
    best = max(range(candidates), key=lambda i: (means[i], -i))
    variance = sum((score - means[best]) ** 2 for score in scores[:, best]) / (folds - 1)
    bound = means[best] - math.sqrt(variance / folds)
    slow = next(i for i in range(candidates) if means[i] >= bound - 1e-12)
    train, penalties = blobs(2, 0), range(1, candidates + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear, 'fold_scores', lambda *_: scores)
        fits = [fit_probe(train, None, penalties, 5, 99, is_on) for is_on in (False, True)]
    best_mean, found = (int(penalty) - 1 for _, penalty, _ in fits)
    assert found <= best
    # At equality rounding may decide.
    assert found == slow or abs(means[slow] - bound) < 1e-9
    assert means[best_mean] == pytest.approx(max(means))


def test_more_features_than_samples_are_fitted_as_they_are():
    """Against a plain fit of all features, from zero."""
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 14)
    values = generator.normal(size=(42, 200))
    values[:, :3] += 2 * np.eye(3)[labels]
    splits = linear.usable_folds(labels, None, 3)
    penalties = (1e-3, 1e-2, 1e-1)
    found = linear.fold_scores(values, labels, splits, penalties)
    for scores, c in zip(found.T, penalties):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000))
        slow = cross_val_score(model, values, labels, cv=splits)
        assert np.abs(scores - slow).max() <= 1.01 / 14, 'a sample on the border at most'
    assert found.std() > 0.02


def test_folds_follow_the_smallest_class():
    few = blobs(10, 0).part(np.array([0, 1, 10, 11, 12, 20, 21, 22]))
    assert fit_probe(few)[2] == 2
    single = blobs(10, 0).part(np.array([0, 10, 11, 20, 21]))
    assert fit_probe(single, penalties=(10.0, 1.0, 0.1))[1:] == (1.0, 0)


def test_folds_that_cannot_choose_are_left_out(monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(linear, 'log_once', said.append)
    # The large group holds all of class 1: without it there is one class to train on.
    generator = np.random.default_rng(0)
    labels = np.array([0] * 12 + [1] * 6)
    groups = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 4] + [4] * 6)
    train = Features(generator.normal(size=(18, 100)).astype(np.float32), labels)
    train.values[:, 0] += 1.5 * labels
    splits = [*StratifiedGroupKFold(5).split(labels, labels, groups)]
    assert any(len(np.unique(labels[rest])) == 1 for rest, _ in splits)
    _, penalty, folds = fit_probe(train, groups, penalties=(1e-3, 1e3))
    assert folds == 4
    assert said == ['linear probe: 4 of 5 folds can be used to choose the penalty']
    # The accuracy of each candidate over the folds that are left.
    splits = [(rest, part) for rest, part in splits if len(np.unique(labels[rest])) > 1]
    scores = linear.fold_scores(train.values, labels, splits, (1e-3, 1e3)).mean(axis=0)
    assert penalty == (1e-3, 1e3)[int(np.argmax(scores))] and scores[0] != scores[1]


def test_without_a_usable_fold_the_middle_penalty_is_taken(monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(linear, 'log_once', said.append)
    two = blobs(10, 0, classes=2)
    probe = fit_probe(two, groups=two.labels, penalties=(10.0, 1.0, 0.1))  # a class a group
    assert probe[1:] == (1.0, 0)
    assert said == [
        'linear probe: 0 of 2 folds can be used to choose the penalty',
        'linear probe: 20 samples cannot be split to choose the penalty, C=1 is taken',
    ]


def test_folds_test_no_class_that_lies_in_them_as_a_whole():
    """Few labels in whole groups: class 2 is in one group alone, class 0 and 1 are in all."""
    labels = np.array([0, 1, 0, 1, 0, 1, 2, 2])
    groups = np.array([0, 0, 1, 1, 2, 2, 2, 2])
    splits = linear.usable_folds(labels, groups, 3)
    assert len(splits) == 3
    for train, test in splits:
        assert set(labels[test]) == {0, 1}
        assert not set(groups[train]) & set(groups[test])
    alone = linear.usable_folds(np.array([0, 1, 2, 2]), np.array([0, 0, 1, 1]), 2)
    assert alone == [], 'nothing that could be known is left to test'
