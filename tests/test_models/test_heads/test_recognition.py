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


def make_head(kind: str = 'TSNHead') -> RecognitionHead:
    torch.manual_seed(0)
    head = RecognitionHead(HEADS[kind])
    torch.nn.init.normal_(head.cls_head.fc_cls.weight)
    return head


def test_frames_that_only_fill_up_do_not_count_with_a_2d_student():
    head = make_head()
    feature_map, label = torch.randn(3, 4, 5, 2, 2, requires_grad=True), torch.tensor([0, 2, 1])
    valid = torch.arange(5) < torch.tensor([[2], [5], [1]])
    means = [clip[:, kept].mean((1, 2, 3)) for clip, kept in zip(feature_map, valid)]
    expected = head.cls_head.fc_cls(torch.stack(means))
    loss = head.loss(feature_map=feature_map, label=label, valid=valid)['loss_cls']
    torch.testing.assert_close(loss, F.cross_entropy(expected, label))
    torch.testing.assert_close(
        head.predict(feature_map=feature_map, label=label, valid=valid)['scores'], expected
    )
    loss.backward()
    pulled = feature_map.grad.abs().sum((1, 3, 4)) > 0
    assert torch.equal(pulled, valid)


def test_the_map_of_a_3d_student_is_left_as_it_is():
    """Its positions are not the frames that are valid or not, whatever head reads it."""
    head, feature_map = make_head(), torch.randn(2, 4, 3, 2, 2)
    label, valid = torch.tensor([0, 1]), torch.arange(6).expand(2, -1) < 2
    assert torch.equal(
        head.predict(feature_map=feature_map, label=label, valid=valid)['scores'],
        head.predict(feature_map=feature_map, label=label)['scores'],
    )
    assert 'valid' not in RecognitionHead(HEADS['I3DHead']).inputs


@pytest.mark.parametrize('view', ['clip', 'clip_b'])
def test_it_reads_the_validity_of_its_own_view(view):
    head = RecognitionHead(HEADS['TSNHead'], dict(feature_map=f'{view}.feature_map'))
    assert head.inputs['valid'] == f'targets.{view}.valid'
