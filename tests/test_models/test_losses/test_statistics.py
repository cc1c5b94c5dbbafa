"""The numbers that show a collapse, against their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mmact_ssl.models.losses.statistics import effective_rank, feature_std


def features(num: int, dim: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(num, dim, generator=torch.Generator().manual_seed(seed))


def test_feature_std_equals_its_formula():
    values = features(7, 5).numpy().astype(np.float64) + 1
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    expected = np.mean([unit[:, d].std() for d in range(5)]) * math.sqrt(5)
    assert float(feature_std(torch.tensor(values))) == pytest.approx(expected, rel=1e-5)


def test_effective_rank_equals_its_formula():
    values = features(9, 4).numpy().astype(np.float64)
    singular = np.linalg.svd(values - values.mean(0), compute_uv=False)
    share = singular / singular.sum()
    expected = np.exp(-(share * np.log(share)).sum())
    for size in (1, 1e-6):  # whatever the unit
        assert float(effective_rank(torch.tensor(size * values))) == pytest.approx(expected)


def test_a_diverged_run_shows_as_nan_instead_of_ending():
    for wrong in (math.nan, math.inf):
        values = features(6, 4)
        values[2, 1] = wrong
        assert math.isnan(effective_rank(values))
        assert math.isnan(feature_std(values))
