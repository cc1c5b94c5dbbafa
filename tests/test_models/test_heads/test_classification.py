"""The classifier of actions: its network, loss and scores."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mmact_ssl.models.heads.classification import ClassificationHead


def test_scores_are_those_of_a_linear_layer_and_only_labeled_samples_count():
    torch.manual_seed(0)
    head = ClassificationHead(in_channels=5, num_classes=3)
    pooled = torch.randn(3, 5)
    logits = pooled @ head.classifier.weight.T
    label = logits.argmax(1)
    label[1], label[2] = -1, (label[2] + 1) % 3
    known = label >= 0
    loss = head.loss(pooled=pooled, label=label)['loss']
    torch.testing.assert_close(loss, F.cross_entropy(logits[known], label[known]))
    predicted = head.predict(pooled=pooled, label=label)
    torch.testing.assert_close(predicted['logits'], logits)
    assert predicted['accuracy'][[0, 2]].tolist() == [1, 0]
    assert predicted['accuracy'][1].isnan()
    assert predicted['chance'][[0, 2]].tolist() == pytest.approx([1 / 3, 1 / 3])


def test_a_further_view_has_the_clips_label_and_counts_as_much():
    torch.manual_seed(0)
    head = ClassificationHead(in_channels=5, num_classes=3)
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
    hits = (logits[0].argmax(1) == label)[known].double().mean()
    assert float(found['accuracy']) == pytest.approx(float(hits))
    gradient = torch.autograd.grad(found['loss'], other)[0]
    # The unlabeled clip's other view teaches nothing.
    assert (gradient.abs().sum(1) > 0).tolist() == known.tolist()
    predicted = head.predict(pooled=own, label=label, other_camera=other)
    torch.testing.assert_close(predicted['logits'].double(), logits[0], rtol=1e-6, atol=1e-6)
