"""The classifiers of actions and of the jigsaw: their networks, losses and scores."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mmact_ssl.engine.launch import read_config
from mmact_ssl.models.heads.classification import ClassificationHead
from mmact_ssl.models.heads.jigsaw import JigsawHead
from mmact_ssl.registry import MODELS
from mmact_ssl.shipped_configs import CONFIGS


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


def test_the_order_of_a_small_students_clip_is_told_from_this_clip_alone():
    """Batch normalization over few clips keeps the task at chance (docs/research/rivals.md)."""
    name = str(CONFIGS / 'order_r3d18-small.py')
    config = read_config(name, dataset='utdmhad').model.heads.order
    head = MODELS.build(config).train()
    pooled, label = torch.randn(5, config.in_channels), torch.tensor([0, 5, 2, 2, 1])
    alone = [head.predict(pooled=pooled[i : i + 1], label=label[i : i + 1]) for i in range(5)]
    logits = head.predict(pooled=pooled, label=label)['logits']
    torch.testing.assert_close(torch.cat([one['logits'] for one in alone]), logits)
