"""The supervised task beside the pretext tasks."""

from __future__ import annotations

import math

import pytest
import torch

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads import ClassificationHead


def test_loss_and_gradient_are_those_of_a_linear_softmax():
    torch.manual_seed(0)
    head = ClassificationHead(in_channels=5, num_classes=3)
    assert not head.classifier.bias.any()
    pooled = torch.randn(4, 5)
    label = torch.tensor([1, -1, 2, 0])
    losses = head.loss(pooled, label)
    losses['loss'].backward()
    logits = pooled @ head.classifier.weight.T
    known = label >= 0
    expected = -logits.log_softmax(1)[known, label[known]].mean()
    torch.testing.assert_close(losses['loss'], expected)
    gradient = logits.softmax(1) - torch.nn.functional.one_hot(label.clamp(min=0), 3)
    gradient = (gradient[known].T @ pooled[known]) / 3
    torch.testing.assert_close(head.classifier.weight.grad, gradient, rtol=1e-4, atol=1e-6)


def test_predict_has_no_score_without_a_label():
    torch.manual_seed(0)
    head = ClassificationHead(in_channels=5, num_classes=3)
    pooled = torch.randn(3, 5)
    label = head.classifier(pooled).argmax(1)
    label[1] = -1
    label[2] = (label[2] + 1) % 3
    predicted = head.predict(pooled, label)
    assert predicted['accuracy'][[0, 2]].tolist() == [1, 0]
    assert math.isnan(predicted['accuracy'][1])
    assert predicted['logits'].shape == (3, 3)


def test_a_label_out_of_range_is_named():
    head = ClassificationHead(in_channels=5, num_classes=10)
    with pytest.raises(ConfigError, match='ClassificationHead has 10 classes.*Target 26'):
        head.loss(torch.randn(2, 5), torch.tensor([3, 26]))
