"""InfoNCE with one positive and with several, against slow formulas."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from mmact_ssl.models.losses.info_nce import info_nce
from mmact_ssl.models.losses.multi_positive_info_nce import (
    multi_positive_info_nce,
)


def test_info_nce_against_the_formula():
    """With pairs that do not count: neither rows nor anybody's negatives."""
    generator = torch.Generator().manual_seed(0)
    queries, keys = torch.randn(2, 6, 4, generator=generator, dtype=torch.float64)
    queries.requires_grad_(), keys.requires_grad_()
    for valid in (None, torch.tensor([True, True, False, True, False, True])):
        found = info_nce(queries, keys, 0.2, valid)
        columns = range(6) if valid is None else valid.nonzero()[:, 0].tolist()
        for i in range(6):
            if i not in columns:
                assert found['loss'][i] == found['hit'][i] == 0
                continue
            cosines = {
                j: F.cosine_similarity(queries[i], keys[j], dim=0).item() / 0.2 for j in columns
            }
            total = math.log(sum(math.exp(value) for value in cosines.values()))
            assert float(found['loss'][i]) == pytest.approx(total - cosines[i])
            assert float(found['hit'][i]) == float(cosines[i] == max(cosines.values()))
        gradient, of_keys = torch.autograd.grad(
            found['loss'].sum(), (queries, keys), allow_unused=True
        )
        assert gradient.any(1).nonzero()[:, 0].tolist() == list(columns)
        assert of_keys is None
    assert not found['loss'].isnan().any()


def test_several_positives_against_the_formula_and_one_is_plain_info_nce():
    queries, keys = torch.randn(4, 5).double(), torch.randn(6, 5).double()
    cosines = torch.cosine_similarity(queries[:, None], keys[None], dim=2) / 0.3
    own = torch.tensor([3, 0, 5, 1])
    positive = torch.zeros(4, 6, dtype=torch.bool)
    positive[range(4), own] = True
    found = multi_positive_info_nce(queries, keys, positive, ~positive, 0.3)
    torch.testing.assert_close(found['loss'], F.cross_entropy(cosines, own, reduction='none'))
    assert found['weight'].tolist() == [1] * 4

    positive[0, 4], positive[1] = True, False  # two positives, and none
    negative = ~positive
    negative[:, 2] = False  # neither
    found = multi_positive_info_nce(queries, keys, positive, negative, 0.3)
    assert found['weight'].tolist() == [1, 0, 1, 1] and found['loss'][1] == 0
    for i in (0, 2, 3):
        counted = [j for j in range(6) if positive[i, j] or negative[i, j]]
        total = math.log(sum(math.exp(cosines[i, j]) for j in counted))
        terms = [total - float(cosines[i, j]) for j in range(6) if positive[i, j]]
        assert float(found['loss'][i]) == pytest.approx(sum(terms) / len(terms))
        assert bool(found['hit'][i]) == bool(positive[i, max(counted, key=lambda j: cosines[i, j])])
