"""Windows, their labels, and a classifier that says how often it is right."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from mmact_ssl.labeling import classifier
from mmact_ssl.labeling.classifier import SPANS, Classifier, choose_next
from mmact_ssl.labeling.outputs import find_segments
from mmact_ssl.labeling.tables import Label
from mmact_ssl.labeling.windows import Windows


def cut(lengths: list[int], features: np.ndarray | None = None) -> Windows:
    """Windows of two seconds, one every second, of videos ``v0``, ``v1`` …."""
    video = np.repeat(np.arange(len(lengths)), lengths)
    starts = np.concatenate([np.arange(n) for n in lengths]).astype(float)
    features = np.zeros((len(video), 4), np.float32) if features is None else features
    names = tuple(f'v{place}' for place in range(len(lengths)))
    return Windows(names, video, np.stack([starts, starts + 2], axis=1), features)


def test_a_window_has_the_class_of_more_than_half_of_it():
    windows = cut([6, 3])
    labels = [Label('v0', 0.0, 2.0, 'a'), Label('v0', 2.9, 5.0, 'b'), Label('v1', 2.0, 2.0, 'a')]
    given, touched = windows.give(labels, ['a', 'b'])
    assert given.tolist() == [0, -1, 1, 1, -1, -1, -1, 0, -1]
    assert touched.tolist() == [True, True, True, True, True, False, False, True, True]
    short = [Label('v0', 1.4, 1.6, 'b')]  # in the middle of no window, nearest to the first
    assert windows.give(short, ['a', 'b'])[0].tolist()[:3] == [1, -1, -1]
    several = [Label('v0', 0.2, 0.6, 'b'), Label('v0', 0.65, 1.35, 'a'), Label('v0', 1.4, 1.6, 'b')]
    assert windows.give(several, ['a', 'b'])[0][0] == 0, 'the longest one, not the last'


def test_groups_are_those_of_the_labels_or_the_videos():
    labels = [Label('v0', 0, 1, 'a', 'anna'), Label('v2', 0, 1, 'a', 'anna')]
    assert cut([1, 1, 1, 1]).groups(labels).tolist() == [0, 1, 0, 2]


def test_averages_stay_inside_a_video():
    windows, rows = cut([7, 1, 4]), np.array([0, 3, 7, 10])
    scores = np.random.default_rng(0).normal(size=(12, 3))
    values = softmax(scores / 0.7, axis=1)
    for span in SPANS:
        near = abs(rows[:, None] - np.arange(12)) <= span // 2
        near &= windows.video[rows][:, None] == windows.video
        expected = near @ values / near.sum(axis=1, keepdims=True)  # the slow, obvious way
        np.testing.assert_allclose(windows.smooth(scores, rows, span, 0.7), expected)


def test_segments_cover_a_video_without_gaps():
    windows = cut([5, 2])
    probabilities = np.eye(2)[[0, 0, 1, 1, 0, 0, 0]] * 0.5
    probabilities[2, 1] = 0.7
    assert find_segments(windows, ['a', 'b'], probabilities) == [
        ('v0', 0, 2.5, 'a', 0.5),
        ('v0', 2.5, 4.5, 'b', 0.6),
        ('v0', 4.5, 6, 'a', 0.5),
        ('v1', 0, 3, 'a', 0.5),
    ]


def world(seed: int, noise: float, channels: int = 16) -> tuple[Windows, np.ndarray]:
    """Ten recordings of forty windows, three classes in runs of ten, and the truth."""
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.repeat(rng.permutation([0, 1, 2, 0]), 10) for _ in range(10)])
    means = rng.normal(size=(3, channels))
    offset = np.repeat(rng.normal(size=(10, channels)) * 0.3, 40, axis=0)
    values = means[truth] + offset + noise * rng.normal(size=(400, channels))
    return cut([40] * 10, values.astype(np.float32)), truth


def test_classes_of_one_group_are_named():
    windows, truth = world(0, noise=1.0)
    given = np.where((np.arange(400) < 80) & ((truth != 2) | (windows.video == 0)), truth, -1)
    made = Classifier(windows, given, windows.video, 3)
    assert made.readout == 'lda' and made.estimate
    assert made.estimate.confusion.any(axis=1).tolist() == [True, True, False]


def test_more_labels_than_were_left_in_a_fold_are_right_more_often():
    windows, truth = world(0, noise=3.0)
    given = np.where(np.arange(400) % 5 == windows.video, truth, -1)  # of the first five
    found = Classifier(windows, given, windows.video, 3).estimate
    assert found and np.trace(found.confusion) / found.confusion.sum() < found.accuracy < 1


def test_probabilities_are_calibrated_and_neighbors_help_where_actions_last():
    gains, gaps = [], []
    for seed in range(5):
        windows, truth = world(seed, noise=4.0)
        rows = np.random.default_rng(seed).permutation(200)[:45]
        given = np.where(np.isin(np.arange(400), rows), truth, -1)
        found = Classifier(windows, given, windows.video, 3)
        assert found.is_calibrated and found.span > 1
        smooth = found.probabilities()[200:]
        found.span = 1
        alone = found.probabilities()[200:]
        right = smooth.argmax(axis=1) == truth[200:]
        gains.append(right.mean() - (alone.argmax(axis=1) == truth[200:]).mean())
        gaps.append(smooth.max(axis=1).mean() - right.mean())
    assert np.mean(gains) > 0.05
    assert abs(np.mean(gaps)) < 0.2


def test_no_label_calibrates_its_own_prediction(monkeypatch):
    (windows, truth), calls = world(0, noise=3.0), []

    def note(_, scores: np.ndarray, rows: np.ndarray) -> tuple[int, float]:
        return calls.append({*windows.video[rows].tolist()}) or (3, 1.0)

    monkeypatch.setattr(Classifier, '_calibrate', note)
    given = np.where(np.arange(400) % 5 == windows.video, truth, -1)  # of the first five
    Classifier(windows, given, windows.video, 3)
    assert calls == [{*range(5)}, *({*range(5)} - {n} for n in range(5))]


def test_labels_that_share_neighbors_count_once(monkeypatch):
    (windows, truth), lows = world(0, noise=0.5), []
    given = np.where((np.arange(400) % 4 == 0) & (windows.video < 5), truth, -1)
    for span in (3, 5, 9):  # in runs of ten windows of a class two or three have a label
        monkeypatch.setattr(Classifier, '_calibrate', lambda *_, span=span: (span, 1.0))
        found = Classifier(windows, given, windows.video, 3).estimate
        assert found and found.accuracy == 1
        lows.append(found.interval[0])
    assert lows[0] - 0.05 > lows[1] >= lows[2]


def test_few_labels_tell_nothing():
    windows, truth = world(0, 1.0)
    for rows in (np.arange(40), [0, 15, 45, 60]):  # one recording; four labels
        given = np.where(np.isin(np.arange(400), rows), truth, -1)
        found = Classifier(windows, given, windows.video, 3)
        assert found.estimate is None and not found.is_calibrated
        np.testing.assert_allclose(found.probabilities().sum(axis=1), 1)


def test_what_to_label_next_covers_the_features_and_leaves_out_what_is_sure(monkeypatch):
    monkeypatch.setattr(classifier, 'SAMPLE', 40)
    centers = np.eye(8, dtype=np.float32)
    features = (
        np.repeat(centers, 20, axis=0)
        + np.random.default_rng(0).normal(size=(160, 8)).astype(np.float32) * 0.02
    )
    windows = cut([160], features)
    first = choose_next(windows, np.ones(160, bool), np.zeros((160, 0)), 8)
    assert sorted(first // 20) == [*range(8)]
    sure = np.repeat([[0.99, 0.01]], 160, axis=0)
    sure[40:120] = [0.51, 0.49]
    is_free = np.arange(160) != 45
    later = choose_next(windows, is_free, sure, 4)
    assert sorted(later // 20) == [2, 3, 4, 5] and 45 not in later
    assert choose_next(windows, np.arange(160) < 3, sure, 4).tolist() == [0, 1, 2]


def test_clips_are_no_neighbors_of_one_another():
    rng, truth = np.random.default_rng(0), np.arange(60) % 2
    features = (truth[:, None] + 0.1 * rng.normal(size=(60, 4))).astype(np.float32)
    windows = cut([1] * 60, features)
    found = Classifier(windows, truth, windows.video, 2).estimate
    assert found and found.accuracy == 1 and found.interval[0] > 0.9
