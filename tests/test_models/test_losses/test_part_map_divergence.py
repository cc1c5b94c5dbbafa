"""Part maps: divergence and overlap against those of scipy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import kl_div
from sklearn.metrics import jaccard_score

from mmact_ssl.models.losses.part_map_divergence import (
    PartMapDivergenceLoss,
    as_distribution,
    part_logits,
    part_overlap,
)

SHAPE = (2, 3, 4, 5)  # B, T, h, w


def made_maps(parts: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(SHAPE[0], SHAPE[1], parts, *SHAPE[2:], generator=generator).double()
    if parts > 1:
        maps /= maps.sum(2, keepdim=True)
        maps[0, 0, :, 0] = 0  # outside the frame
    maps[1, 1, 0, 2, 2] = 1.0 if parts == 1 else maps[1, 1, 0, 2, 2]
    return maps


@pytest.mark.parametrize('parts', [1, 2, 4])
@pytest.mark.parametrize('temperature', [0.5, 1.0, 2.0])
def test_divergence_is_that_of_scipy(parts, temperature):
    maps = made_maps(parts)
    logits = torch.randn(maps.shape, generator=torch.Generator().manual_seed(1)).double()
    found = PartMapDivergenceLoss(temperature)(logits, as_distribution(maps))
    both = torch.cat([1 - maps, maps], 2) if parts == 1 else maps
    logits = torch.cat([torch.zeros_like(logits), logits], 2) if parts == 1 else logits
    inside = both.sum(2) > 0
    soft, student = both ** (1 / temperature), (logits / temperature).softmax(2)
    expected = temperature**2 * kl_div(soft / soft.sum(2, keepdim=True), student).sum(2)
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-9)
    assert not found[~inside].any()


def test_bytes_that_do_not_quite_sum_to_one_are_scaled():
    maps = (made_maps(4) * 255).round() / 255
    total = as_distribution(maps).sum(2)
    assert ((total - 1).abs() < 1e-9).logical_or(total == 0).all()
    assert (total == 0).sum() == 5  # one row of one frame


@pytest.mark.parametrize('parts', [1, 2, 5])
def test_overlap_is_that_of_scikit_learn(parts):
    maps = as_distribution(made_maps(parts))
    student = part_logits(torch.randn(2, 3, parts, 4, 5)).softmax(2)
    counted = torch.rand(SHAPE) > 0.4
    found = part_overlap(student, maps, counted)
    for b in range(SHAPE[0]):
        mine, theirs = (part.argmax(1)[counted[b]] for part in (student[b], maps[b]))
        shown = set(mine.tolist()) | set(theirs.tolist())
        expected = jaccard_score(theirs, mine, labels=[*shown - {0}], average='macro')
        assert found[b].item() == pytest.approx(expected)


def test_nobody_anywhere_has_no_overlap():
    nobody = torch.zeros(2, 3, 4, 4, 5)
    nobody[:, :, 0] = 1
    everything = torch.ones(SHAPE, dtype=torch.bool)
    assert part_overlap(nobody, nobody, everything).isnan().all()
    assert part_overlap(nobody, as_distribution(made_maps(4)), ~everything).isnan().all()
