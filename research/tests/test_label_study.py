"""The study of labels for recordings, on made videos and features."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import av
import numpy as np
import pytest

from mmact_ssl.labeling.classifier import Classifier
from mmact_ssl.labeling.outputs import Segment
from mmact_ssl.labeling.tables import Label, read_label_table
from mmact_ssl.labeling.windows import Windows
from research import label_study
from research.join_clips import RATE, join_clips
from tests.helpers.students import video_model  # noqa: F401
from tests.test_labeling.test_classifier import cut, world


@pytest.fixture
def listing(labeled_world, tmp_path) -> Path:
    """Two clips of each of three classes."""
    folder = tmp_path / 'made'
    folder.mkdir()
    (folder / 'videos').symlink_to(labeled_world / 'videos')
    (folder / 'test.txt').write_text((labeled_world / 'test.txt').read_text())
    (folder / 'classes.txt').write_text('a\nb\nc\n')
    return folder / 'test.txt'


def test_recordings_hold_each_clip_once(listing, tmp_path):
    join_clips(listing, tmp_path / 'out' / 'recordings', 3)
    names = [f'rec_{place}.mp4' for place in range(3)]
    truth = read_label_table(tmp_path / 'out' / 'truth.csv', names)
    assert sorted(label.name for label in truth) == [*'aabbcc']
    for name in names:
        own = [label for label in truth if label.video == name]
        assert own[0].start == 0 and all(a.stop == b.start for a, b in itertools.pairwise(own))
        with av.open(str(tmp_path / 'out' / 'recordings' / name)) as recording:
            assert sum(1 for _ in recording.decode(video=0)) == round(own[-1].stop * RATE)


def test_clips_of_a_class_follow_one_another_in_runs(listing, tmp_path):
    found = []
    for name, in_runs in (('mixed', False), ('runs', True)):
        join_clips(listing, tmp_path / name / 'recordings', 1, in_runs)
        found.append(read_label_table(tmp_path / name / 'truth.csv', ['rec_0.mp4']))
    names = [part.name for part in found[1]]
    assert [len([*group]) for _, group in itertools.groupby(names)] == [2, 2, 2]
    assert sum(part.stop - part.start for part in found[0]) == pytest.approx(found[1][-1].stop)


def test_seconds_right_are_those_of_a_fine_grid():
    segments = [
        Segment('v', 0, 2.5, 'a', 1),
        Segment('v', 2.5, 6, 'b', 1),
        Segment('w', 0, 9, 'b', 1),
    ]
    truth = [
        Label('v', 0, 2, 'a'),
        Label('v', 2, 4, 'b'),
        Label('v', 4, 5, 'a'),
        Label('u', 0, 9, 'b'),
    ]
    moments = np.arange(0.005, 5, 0.01)
    right = [('b' if m > 2.5 else 'a') == ('a' if m < 2 or m > 4 else 'b') for m in moments]
    found = label_study.seconds_right(segments, truth)
    np.testing.assert_allclose(found, [0.01 * sum(right), 5])


def test_labels_are_drawn_from_three_recordings_and_tested_on_the_others():
    rng, names = np.random.default_rng(0), tuple(f'v{place}' for place in range(6))
    classes = np.concatenate([np.repeat(rng.permutation(3), 4) for _ in range(6)])
    starts = np.tile(np.arange(12.0), 6)
    spans = np.stack([starts, starts + 1], axis=1)
    features = np.eye(3, 8)[classes] + 0.01 * rng.normal(size=(72, 8))
    windows = Windows(names, np.repeat(np.arange(6), 12), spans, features.astype(np.float32))
    truth = [
        Label(names[row // 12], *spans[row].tolist(), 'abc'[classes[row]]) for row in range(72)
    ]
    draws, drawn = label_study.measure(windows, truth)
    assert {len(values) for values in draws.values()} == {20}
    assert draws['alone@1'] == draws['alone@10'] == [1.0] * 20, 'the features are the classes'
    assert min(draws['smoothed@5']) > 0.6
    assert label_study.measure(windows, truth)[1] == drawn


@pytest.mark.parametrize('channels', [16, 1200])
def test_the_estimate_and_its_interval_hold_the_truth(channels):
    held, errors = 0, []
    for seed in range(20):
        windows, truth = world(seed, noise=3.0 if channels == 16 else 9.0, channels=channels)
        rows = np.random.default_rng(100 + seed).permutation(160)[:40]  # of the first four
        given = np.where(np.isin(np.arange(400), rows), truth, -1)
        found = Classifier(windows, given, windows.video, 3)
        right = (found.probabilities().argmax(axis=1) == truth)[160:].mean()
        assert found.estimate and found.readout == {16: 'lda', 1200: 'logistic'}[channels]
        low, high = found.estimate.interval
        held += bool(low <= right <= high)
        errors.append(found.estimate.accuracy - right)
        confusion = found.estimate.confusion
        assert confusion.sum() <= 40
        assert (found.estimate.accuracy == 1) == (np.trace(confusion) == confusion.sum())
    assert held >= 17
    assert abs(np.mean(errors)) < 0.1


def test_the_interval_holds_the_truth_for_two_labels_of_many_classes():
    held, truth = 0, np.random.default_rng(0).permuted(np.tile(np.arange(60) % 20, (6, 1)), axis=1)
    for seed in range(20):
        rng, of_window = np.random.default_rng(seed), truth.ravel()
        values = rng.normal(size=(20, 64))[of_window] + 2.5 * rng.normal(size=(360, 64))
        windows, given = cut([60] * 6, values.astype(np.float32)), np.full(360, -1)
        for number in range(20):
            given[rng.permutation(np.flatnonzero(of_window[:180] == number))[:2]] = number
        found = Classifier(windows, given, windows.video, 20)
        right = (found.probabilities().argmax(axis=1) == of_window)[180:].mean()
        assert found.estimate
        held += found.estimate.interval[0] <= right <= found.estimate.interval[1]
    assert held >= 17


def test_each_model_is_measured_once(listing, video_model, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(label_study, 'RECORDINGS', 4)
    monkeypatch.setattr(label_study, 'LABELED', 2)
    monkeypatch.setattr(label_study, 'COUNTS', (1, 2))
    work = tmp_path / 'work' / 'recordings-made'
    pretrained = []

    class Tool:
        main = staticmethod(lambda words: pretrained.append(words))

    def load(name: str) -> type[Tool]:
        (work / 'pretrain').mkdir()
        (work / 'pretrain' / 'made-00000000.safetensors').symlink_to(video_model.saved.path)
        return Tool

    monkeypatch.setattr(label_study, 'load_tool', load)
    words = [str(listing), f'A={video_model.saved.path}', 'A, own=pretrain', '--window', '1']
    words += ['--work', str(tmp_path / 'work'), '--results', str(tmp_path / 'results')]
    words += ['--pretrain=--window 3 --steps 9']
    label_study.main(words)
    out = [str(work / 'recordings'), '--out', str(work / 'pretrain')]
    assert pretrained == [[*out, '--window', '3', '--steps', '9']]
    monkeypatch.setattr(label_study, 'measure', pytest.fail)
    label_study.main(words)
    lines = (tmp_path / 'results' / 'recordings-made' / 'a.jsonl').read_text().splitlines()
    first, second = map(json.loads, lines)
    assert (first['variant'], second['variant']) == ('full', 'own')
    assert first['details'] == second['details'] and len(first['details']['draws']['alone@1']) == 6
    assert first['metrics']['chance'] == pytest.approx(1 / 3)
