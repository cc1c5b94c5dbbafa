"""The results of this repository."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmact_ssl.evaluation.accuracy import mean_class_accuracy
from mmact_ssl.evaluation.results import read_results

ROOT = Path(__file__).parents[2]


def test_the_accuracies_of_all_stored_results_are_those_of_their_confusion_matrices():
    stored = [r for r in read_results(ROOT / 'research/results') if 'confusion' in r.details]
    assert len(stored) > 900
    for one in stored:
        confusion = np.array(one.details['confusion'])
        top1 = np.trace(confusion) / confusion.sum()
        assert one.metrics['top1'] == pytest.approx(top1), one.run
        if 'mean_class' in one.metrics:
            mean = mean_class_accuracy(confusion)
            assert one.metrics['mean_class'] == pytest.approx(mean), one.run
