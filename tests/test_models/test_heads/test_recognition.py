"""mmaction2's heads beside pretext tasks: their own loss, on 2D and 3D students, few labels."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope

from mmact_ssl.models.heads.recognition import RecognitionHead

HEADS = dict(
    I3DHead=dict(type='mmaction.I3DHead', num_classes=3, in_channels=4, dropout_ratio=0.0),
    TSNHead=dict(type='mmaction.TSNHead', num_classes=3, in_channels=4, dropout_ratio=0.0),
)


@pytest.fixture(autouse=True)
def scope():
    """As in training: the heads' own losses are named without mmaction2's scope."""
    init_default_scope('mmact_ssl')


@pytest.mark.parametrize('kind', HEADS)
def test_the_loss_is_the_cross_entropy_of_the_labeled_clips(kind):
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


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_in_mixed_precision_the_loss_is_nearly_the_same(dtype):
    torch.manual_seed(0)
    head = RecognitionHead(HEADS['I3DHead'])
    inputs = dict(feature_map=torch.randn(5, 4, 2, 3, 3), label=torch.tensor([0, -1, 2, 1, -1]))
    expected = head.loss(**inputs)['loss_cls']
    with torch.autocast('cpu', dtype):
        found = head.loss(**inputs)['loss_cls']
    assert torch.isclose(found.float(), expected, rtol=0.01)
