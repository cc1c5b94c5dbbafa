"""Pictures hold the numbers of the results that they were drawn from."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mmact_ssl.visualization.confusion import draw_classes, draw_confusion, write_pictures

CONFUSIONS = np.array([[[8, 2, 0], [0, 5, 5], [0, 0, 0]], [[6, 4, 0], [0, 9, 1], [0, 0, 0]]])
CLASSES = ['wave', 'clap', 'sit down']


@pytest.fixture
def result(make_result):
    """Makes a result with a confusion matrix."""

    def make(seed: int, protocol: str = 'linear', **changes):
        details = {'confusion': CONFUSIONS[seed % 2].tolist(), 'classes': CLASSES}
        values = dict(method='MS2L', dataset='nwucla', seed=seed, protocol=protocol)
        return make_result(**{**values, 'details': details, **changes})

    return make


def test_seeds_share_a_picture_and_protocols_do_not(result, tmp_path):
    results = [
        result(0),
        result(1),
        result(0, label_fraction=0.1),
        result(0, 'finetune', pretrained_on='ntu60'),
        result(0, 'retrieval', details={}),
    ]
    written = write_pictures(results, tmp_path / 'deep')
    stems = [
        'ms2l_full_nwucla_linear',
        'ms2l_full_nwucla_linear-10pct',
        'ms2l_full_nwucla-from-ntu60_finetune',
    ]
    assert [path.name for path in written] == [
        f'{stem}_{kind}.png' for stem in stems for kind in ('confusion', 'classes')
    ]
    for path in written:
        picture = cv2.imread(str(path))
        assert picture.std() > 10, 'not a blank sheet'


def test_the_confusion_matrix_is_summed_over_seeds_and_in_percent():
    figure = draw_confusion(CONFUSIONS, CLASSES)
    axis = figure.axes[0]
    np.testing.assert_allclose(axis.images[0].get_array(), [[70, 30, 0], [0, 70, 30], [0, 0, 0]])
    assert [label.get_text() for label in axis.get_yticklabels()] == CLASSES
    numbers = {text.get_position(): text.get_text() for text in axis.texts if text.get_visible()}
    assert numbers == {(0, 0): '70', (1, 0): '30', (1, 1): '70', (2, 1): '30'}


def test_many_classes_are_not_numbered():
    figure = draw_confusion(np.eye(60, dtype=int)[None], [str(k) for k in range(60)])
    assert not figure.axes[0].texts


def test_bars_are_sorted_and_have_the_deviation_over_seeds():
    confusions = CONFUSIONS.copy()
    confusions[1, 1] = [0, 8, 2]
    axis = draw_classes(confusions, CLASSES).axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ['wave', 'clap']
    np.testing.assert_allclose([bar.get_width() for bar in axis.patches], [70, 65])
    whiskers = [np.ptp(path.vertices[:, 0]) / 2 for path in axis.collections[0].get_paths()]
    np.testing.assert_allclose(whiskers, [np.std([80, 60], ddof=1), np.std([50, 80], ddof=1)])
    assert axis.lines[-1].get_xdata()[0] == pytest.approx(67.5), 'the mean over classes'


def test_one_seed_has_no_deviation():
    assert not draw_classes(CONFUSIONS[:1], CLASSES).axes[0].collections
