"""A classifier of two views of a clip against the mean of both cross-entropies."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from research.parts.views_classification import ViewsClassificationHead


def test_a_further_view_has_the_clips_label_and_counts_as_much():
    torch.manual_seed(0)
    head = ViewsClassificationHead(in_channels=5, num_classes=3)
    own, other = torch.randn(2, 4, 5, requires_grad=True)
    label = torch.tensor([2, -1, 0, 1])
    known = label >= 0
    found = head.loss(pooled=own, label=label, other_camera=other)
    logits = [
        view.double() @ head.classifier.weight.T.double() + head.classifier.bias
        for view in (own, other)
    ]
    expected = [F.cross_entropy(one[known], label[known]) for one in logits]
    torch.testing.assert_close(found['loss'].double(), sum(expected) / 2, rtol=1e-6, atol=0)
    gradient = torch.autograd.grad(found['loss'], other)[0]
    # The unlabeled clip's other view teaches nothing.
    assert (gradient.abs().sum(1) > 0).tolist() == known.tolist()
    predicted = head.predict(pooled=own, label=label, other_camera=other)
    torch.testing.assert_close(predicted['logits'].double(), logits[0], rtol=1e-6, atol=1e-6)
