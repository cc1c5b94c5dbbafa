"""The classifiers of actions and of the jigsaw: their networks, losses and scores."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from mmact_ssl.models.heads.classification import ClassificationHead
from mmact_ssl.models.heads.jigsaw import JigsawHead


def test_loss_and_gradient_are_those_of_a_linear_softmax():
    torch.manual_seed(0)
    head = ClassificationHead(in_channels=5, num_classes=3)
    assert not head.classifier.bias.any()
    pooled, label = torch.randn(4, 5), torch.tensor([1, -1, 2, 0])
    losses = head.loss(pooled=pooled, label=label)
    losses['loss'].backward()
    logits = pooled @ head.classifier.weight.T
    known = label >= 0
    expected = -logits.log_softmax(1)[known, label[known]].mean()
    torch.testing.assert_close(losses['loss'], expected)
    gradient = logits.softmax(1) - F.one_hot(label.clamp(min=0), 3)
    gradient = (gradient[known].T @ pooled[known]) / 3
    torch.testing.assert_close(head.classifier.weight.grad, gradient, rtol=1e-4, atol=1e-6)


def test_predict_has_no_score_without_a_label():
    torch.manual_seed(0)
    head, pooled = ClassificationHead(in_channels=5, num_classes=3), torch.randn(3, 5)
    label = head.classifier(pooled).argmax(1)
    label[1], label[2] = -1, (label[2] + 1) % 3
    predicted = head.predict(pooled=pooled, label=label)
    assert predicted['accuracy'][[0, 2]].tolist() == [1, 0]
    assert math.isnan(predicted['accuracy'][1])
    assert torch.equal(predicted['logits'], head.classifier(pooled))


def test_the_jigsaws_network_is_the_published_one():
    layers = JigsawHead(in_channels=600).classifier
    names = [type(layer).__name__ for layer in layers]
    assert names == ['Linear', 'BatchNorm1d', 'ReLU', 'Linear']
    for layer, sizes in ((layers[0], (600, 2048)), (layers[3], (2048, 6))):
        assert (layer.in_features, layer.out_features) == sizes
        deviation = math.sqrt(2 / sum(sizes))
        assert layer.weight.detach().std().item() == pytest.approx(deviation, rel=0.03)
        assert not layer.bias.any()
    assert JigsawHead(4, segments=4).classifier[3].out_features == 24


def test_the_jigsaws_loss_equals_the_formula():
    torch.manual_seed(0)
    head = JigsawHead(in_channels=4, hidden_dim=8)
    pooled, label = torch.randn(5, 4, requires_grad=True), torch.tensor([0, 5, 2, 2, 1])
    losses = head.loss(pooled=pooled, label=label)
    first, _, _, last = head.classifier
    hidden = pooled.detach().double() @ first.weight.T.double() + first.bias
    hidden = (hidden - hidden.mean(0)) / (hidden.var(0, unbiased=False) + 1e-5).sqrt()
    logits = hidden.clamp(min=0) @ last.weight.T.double() + last.bias
    expected = F.cross_entropy(logits, label)
    torch.testing.assert_close(losses['loss'].double(), expected, rtol=1e-4, atol=0)
    hits = (logits.argmax(1) == label).double()
    assert float(losses['accuracy']) == pytest.approx(float(hits.mean()))
    losses['loss'].backward()
    assert pooled.grad.abs().sum() > 0
    # Batch normalization takes the first bias away again.
    for name, parameter in head.named_parameters():
        assert name == 'classifier.0.bias' or parameter.grad.abs().sum() > 0, name
