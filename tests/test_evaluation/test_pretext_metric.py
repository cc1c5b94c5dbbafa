"""Means of the heads' metrics over samples."""

from __future__ import annotations

import math

import pytest
import torch

from mmact_ssl.evaluation import PretextMetric


def sample(error: float, accuracy: float) -> dict:
    return dict(
        pose=dict(error=torch.tensor(error), poses=torch.zeros(4, 2)),
        context=dict(accuracy=torch.tensor(accuracy)),
    )


def test_means_over_samples_of_all_batches_leave_out_what_is_not_defined():
    metric = PretextMetric()
    metric.process(None, [sample(1.0, 1.0), sample(math.nan, 0.0)])
    metric.process(None, [sample(4.0, math.nan)])
    assert metric.evaluate(size=3) == {
        'pose/error': pytest.approx(2.5),
        'context/accuracy': pytest.approx(0.5),
    }


@pytest.mark.filterwarnings('ignore:Mean of empty slice')
def test_a_metric_that_no_sample_defines_is_not_a_number():
    metric = PretextMetric()
    metric.process(None, [sample(math.nan, 1.0)])
    assert math.isnan(metric.evaluate(size=1)['pose/error'])
