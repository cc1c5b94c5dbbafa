"""Part maps: divergence and overlap against slow loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

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
def test_divergence_is_the_slow_formula(parts, temperature):
    maps = made_maps(parts)
    logits = torch.randn(maps.shape, generator=torch.Generator().manual_seed(1)).double()
    found = PartMapDivergenceLoss(temperature)(logits, as_distribution(maps))
    for b, t, y, x in np.ndindex(*SHAPE):
        p, z = maps[b, t, :, y, x].tolist(), logits[b, t, :, y, x].tolist()
        if parts == 1:
            p, z = [1 - p[0], p[0]], [0.0, z[0]]
        if sum(p) == 0:
            assert found[b, t, y, x] == 0
            continue
        soft = [value ** (1 / temperature) for value in p]
        soft = [value / sum(soft) for value in soft]
        student = [math.exp(value / temperature) for value in z]
        student = [value / sum(student) for value in student]
        expected = sum(s * math.log(s / q) for s, q in zip(soft, student) if s > 0)
        assert found[b, t, y, x].item() == pytest.approx(temperature**2 * expected, abs=1e-9)


def test_bytes_that_do_not_quite_sum_to_one_are_scaled():
    maps = (made_maps(4) * 255).round() / 255
    total = as_distribution(maps).sum(2)
    assert ((total - 1).abs() < 1e-9).logical_or(total == 0).all()
    assert (total == 0).sum() == 5  # one row of one frame


@pytest.mark.parametrize('parts', [1, 2, 5])
def test_overlap_is_the_slow_count(parts):
    maps = as_distribution(made_maps(parts))
    student = part_logits(torch.randn(2, 3, parts, 4, 5)).softmax(2)
    counted = torch.rand(SHAPE) > 0.4
    found = part_overlap(student, maps, counted)
    mine, theirs = student.argmax(2), maps.argmax(2)
    for b in range(SHAPE[0]):
        overlaps = []
        for part in range(1, maps.shape[2]):
            either = both = 0
            for t, y, x in np.ndindex(*SHAPE[1:]):
                if counted[b, t, y, x]:
                    shown = [int(labels[b, t, y, x]) == part for labels in (mine, theirs)]
                    either += any(shown)
                    both += all(shown)
            if either:
                overlaps.append(both / either)
        assert found[b].item() == pytest.approx(np.mean(overlaps))


def test_nobody_anywhere_has_no_overlap():
    nobody = torch.zeros(2, 3, 4, 4, 5)
    nobody[:, :, 0] = 1
    everything = torch.ones(SHAPE, dtype=torch.bool)
    assert part_overlap(nobody, nobody, everything).isnan().all()
    assert part_overlap(nobody, as_distribution(made_maps(4)), ~everything).isnan().all()
