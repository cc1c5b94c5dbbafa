"""The jigsaw's classifier, its start and its scores."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads import JigsawHead


def make(**settings) -> JigsawHead:
    torch.manual_seed(0)
    return JigsawHead(in_channels=4, **({'hidden_dim': 8} | settings))


def test_the_network_is_the_published_one():
    head = JigsawHead(in_channels=600)
    assert [type(layer).__name__ for layer in head.classifier] == [
        'Linear',
        'BatchNorm1d',
        'ReLU',
        'Linear',
    ]
    for layer, sizes in ((head.classifier[0], (600, 2048)), (head.classifier[3], (2048, 6))):
        assert (layer.in_features, layer.out_features) == sizes
        deviation = math.sqrt(2 / sum(sizes))
        assert layer.weight.detach().std().item() == pytest.approx(deviation, rel=0.03)
        assert not layer.bias.any()
    assert make(segments=4).classifier[3].out_features == 24


def test_loss_equals_the_formula():
    head = make()
    pooled = torch.randn(5, 4, requires_grad=True)
    permutation = torch.tensor([0, 5, 2, 2, 1])
    losses = head.loss(pooled, permutation)
    first, _, _, last = head.classifier
    hidden = pooled.detach().double() @ first.weight.T.double() + first.bias
    hidden = (hidden - hidden.mean(0)) / (hidden.var(0, unbiased=False) + 1e-5).sqrt()
    logits = hidden.clamp(min=0) @ last.weight.T.double() + last.bias
    expected = F.cross_entropy(logits, permutation)
    torch.testing.assert_close(losses['loss'].double(), expected, rtol=1e-4, atol=0)
    assert float(losses['accuracy']) == pytest.approx(
        float((logits.argmax(1) == permutation).double().mean())
    )
    losses['loss'].backward()
    assert pooled.grad.abs().sum() > 0
    # Batch normalization takes the first bias away again.
    for name, parameter in head.named_parameters():
        assert name == 'classifier.0.bias' or parameter.grad.abs().sum() > 0, name


def test_predict_scores_each_clip():
    head = make().eval()
    pooled = torch.randn(6, 4)
    logits = head.classifier(pooled)
    permutation = logits.argmax(1)
    permutation[2] = (permutation[2] + 1) % 6
    predicted = head.predict(pooled, permutation)
    assert torch.equal(predicted['logits'], logits)
    assert predicted['accuracy'].tolist() == [1, 1, 0, 1, 1, 1]


def test_another_number_of_segments_in_the_pipeline_is_named():
    with pytest.raises(ConfigError, match='JigsawHead has 6 classes.*Target 23'):
        make().loss(torch.randn(2, 4), torch.tensor([0, 23]))
