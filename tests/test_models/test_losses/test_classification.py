"""Cross-entropy over labeled rows against a loop."""

from __future__ import annotations

import pytest
import torch

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.losses import classification_loss


def test_equals_a_loop_over_the_labeled_rows():
    torch.manual_seed(0)
    logits = torch.randn(5, 3, dtype=torch.double, requires_grad=True)
    target = torch.tensor([2, -1, 0, int(logits[3].argmax()), -1])
    result = classification_loss(logits, target, 'a head')
    terms, hits = [], []
    for row, label in zip(logits, target.tolist()):
        if label >= 0:
            terms.append(-torch.log(row[label].exp() / row.exp().sum()))
            hits.append(float(row.argmax() == label))
    expected = torch.stack(terms).mean()
    torch.testing.assert_close(result['loss'].double(), expected, rtol=1e-6, atol=0)
    assert float(result['accuracy']) == pytest.approx(sum(hits) / 3)
    (got,) = torch.autograd.grad(result['loss'], logits)
    torch.testing.assert_close(got, torch.autograd.grad(expected, logits)[0], rtol=1e-5, atol=1e-8)
    assert not got[1].any() and got[0].any()


def test_no_label_at_all_is_no_loss():
    logits = torch.randn(3, 4, requires_grad=True)
    result = classification_loss(logits, torch.full((3,), -1), 'a head')
    result['loss'].backward()
    assert float(result['loss'].detach()) == float(result['accuracy']) == 0
    assert not logits.grad.any()


def test_a_label_out_of_range_names_the_head_and_the_label():
    with pytest.raises(ConfigError, match='the head has 4 classes.*Target 7 is out of bounds'):
        classification_loss(torch.randn(2, 4), torch.tensor([1, 7]), 'the head')
