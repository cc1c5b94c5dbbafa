"""Cross-entropy over labeled samples against a loop."""

from __future__ import annotations

import pytest
import torch

from mmact_ssl.models.losses.label import LabelLoss


def test_equals_a_loop_over_the_labeled_rows():
    torch.manual_seed(0)
    logits = torch.randn(5, 3, dtype=torch.double, requires_grad=True)
    label = torch.tensor([2, -1, 0, int(logits[3].argmax()), -1])
    found = LabelLoss()(logits, label)
    assert found['weight'].tolist() == [1, 0, 1, 1, 0]
    for i in (0, 2, 3):
        expected = -torch.log(logits[i, label[i]].exp() / logits[i].exp().sum())
        assert float(found['loss'][i]) == pytest.approx(float(expected), rel=1e-6)
        assert float(found['hit'][i]) == float(logits[i].argmax() == label[i])
        (got,) = torch.autograd.grad(found['loss'][i], logits, retain_graph=True)
        (wanted,) = torch.autograd.grad(expected, logits)
        torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-8)
    (unlabeled,) = torch.autograd.grad(found['loss'][[1, 4]].sum(), logits)
    assert not unlabeled.any() and not found['loss'][[1, 4]].any()
