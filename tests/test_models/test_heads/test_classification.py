"""Classifiers of actions, orders and strides: classes, clips that count, scores."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope

from mmact_ssl.models.heads.classification import ClassificationHead, JigsawHead, SpeedHead
from mmact_ssl.models.heads.recognition import RecognitionHead
from tests.helpers.heads import slow_network


def test_the_loss_of_classes_is_that_of_the_labeled_clips():
    torch.manual_seed(0)
    head = ClassificationHead(in_channels=5, num_classes=3)
    pooled, label = torch.randn(4, 5, requires_grad=True), torch.tensor([2, -1, 0, 1])
    known = label >= 0
    logits = pooled.double() @ head.classifier.weight.T.double() + head.classifier.bias
    found = head.loss(pooled=pooled, label=label)
    expected = F.cross_entropy(logits[known], label[known])
    torch.testing.assert_close(found['loss'].double(), expected, rtol=1e-6, atol=0)
    (gradient,) = torch.autograd.grad(found['loss'], pooled)
    assert gradient.any(1).tolist() == known.tolist()
    predicted = head.predict(pooled=pooled, label=label)
    torch.testing.assert_close(predicted['logits'].double(), logits, rtol=1e-6, atol=1e-6)
    hits = (logits.argmax(1) == label).double().masked_fill(~known, torch.nan)
    assert predicted['accuracy'].tolist() == pytest.approx(hits.tolist(), nan_ok=True)
    assert predicted['chance'][known].tolist() == pytest.approx([1 / 3] * 3)


def test_the_loss_of_orders_is_that_of_the_orders_class_over_shuffled_clips():
    torch.manual_seed(0)
    head = JigsawHead(in_channels=4, hidden_dim=8)
    pooled, number = torch.randn(6, 4), torch.tensor([0, 5, 2, 2, 1, -1])
    label = torch.tensor(list(permutations(range(3))))[number]
    label[5] = -1  # not shuffled
    losses = head.loss(pooled=pooled, label=label)
    logits = slow_network(head.classifier, pooled)
    expected = F.cross_entropy(logits[:5], number[:5])
    torch.testing.assert_close(losses['loss'].double(), expected, rtol=1e-4, atol=0)
    hits = (logits[:5].argmax(1) == number[:5]).double()
    assert float(losses['accuracy']) == pytest.approx(float(hits.mean()))
    predicted = head.predict(pooled=pooled, label=label)
    assert predicted['accuracy'].isnan().tolist() == [False] * 5 + [True]


@pytest.mark.parametrize('axes', [(3,), (2, 3)], ids=['video', 'skeletons of two persons'])
def test_the_loss_of_strides_is_that_of_the_strides_class_over_clips_without_padding(axes):
    """A clip without a stride is out too: a short clip is padded only beside a longer one."""
    torch.manual_seed(0)
    head = SpeedHead(5, strides=(1, 2, 4))
    pooled, label = torch.randn(5, 5, requires_grad=True), torch.tensor([4, 1, 2, 2, -1])
    valid = torch.ones(5, *axes, dtype=torch.bool)
    valid[2, ..., -1] = False  # padded
    if len(axes) == 2:
        valid[1, 1] = False  # a person who is not there
    found = head.loss(pooled=pooled, label=label, valid=valid)
    classifier = head.classifier
    logits = pooled.double() @ classifier.weight.T.double() + classifier.bias
    expected = F.cross_entropy(logits[[0, 1, 3]], torch.tensor([2, 0, 1]))
    torch.testing.assert_close(found['loss'].double(), expected, rtol=1e-5, atol=0)
    (gradient,) = torch.autograd.grad(found['loss'], pooled)
    counted = [True, True, False, True, False]
    assert gradient.abs().sum(1).gt(0).tolist() == counted
    predicted = head.predict(pooled=pooled, label=label, valid=valid)
    assert (~predicted['accuracy'].isnan()).tolist() == counted
    chance = [0, 1, torch.nan, 0, torch.nan]  # always naming stride 1
    assert predicted['chance'].tolist() == pytest.approx(chance, nan_ok=True)
    assert head.loss(pooled=pooled[4:], label=label[4:], valid=valid[4:])['loss'] == 0


HEADS = dict(
    I3DHead=dict(type='mmaction.I3DHead', num_classes=3, in_channels=4, dropout_ratio=0.0),
    TSNHead=dict(type='mmaction.TSNHead', num_classes=3, in_channels=4, dropout_ratio=0.0),
)


@pytest.fixture
def scope():
    """As in training: the heads' own losses are named without mmaction2's scope."""
    init_default_scope('mmact_ssl')


@pytest.mark.parametrize('kind', HEADS)
def test_mmaction2s_loss_is_that_of_the_labeled_clips_of_a_3d_or_2d_student(scope, kind):
    torch.manual_seed(0)
    head = RecognitionHead(HEADS[kind])
    torch.nn.init.normal_(head.cls_head.fc_cls.weight)
    feature_map, label = torch.randn(5, 4, 2, 3, 3), torch.tensor([0, -1, 2, 1, -1])
    # Both heads average over frames and places before, or after, a linear layer.
    scores = head.cls_head.fc_cls(feature_map.flatten(2).mean(2))
    expected = F.cross_entropy(scores[[0, 2, 3]], label[[0, 2, 3]])
    outputs = head.loss(feature_map=feature_map, label=label)
    assert torch.isclose(outputs['loss_cls'], expected)
    hits = (scores.argmax(1) == label).float()[[0, 2, 3]]
    assert torch.isclose(outputs['top1_acc'].float(), hits.mean())
    predicted = head.predict(feature_map=feature_map, label=label)
    assert torch.allclose(predicted['scores'], scores, atol=1e-6)
    assert predicted['accuracy'].isnan().tolist() == [False, True, False, False, True]
    for dtype in (torch.bfloat16, torch.float16):
        with torch.autocast('cpu', dtype):
            mixed = head.loss(feature_map=feature_map, label=label)['loss_cls']
        torch.testing.assert_close(mixed.float(), expected, rtol=0.02, atol=0)
