"""Recognition of strides: classes, clips that count, and strides that the head does not know."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads.speed import SpeedHead


def make(**settings) -> SpeedHead:
    torch.manual_seed(0)
    return SpeedHead(5, strides=(1, 2, 4), **settings)


@pytest.mark.parametrize('axes', [(3,), (2, 3)], ids=['video', 'skeletons of two persons'])
def test_the_loss_is_that_of_the_strides_class_over_clips_without_padding(axes):
    head = make()
    pooled = torch.randn(4, 5, requires_grad=True)
    valid = torch.ones(4, *axes, dtype=torch.bool)
    valid[2, ..., -1] = False  # padded
    if len(axes) == 2:
        valid[1, 1] = False  # a person who is not there
    found = head.loss(pooled=pooled, label=torch.tensor([4, 1, 2, 2]), valid=valid)
    classifier = head.classifier
    logits = pooled.double() @ classifier.weight.T.double() + classifier.bias
    expected = F.cross_entropy(logits[[0, 1, 3]], torch.tensor([2, 0, 1]))
    torch.testing.assert_close(found['loss'].double(), expected, rtol=1e-5, atol=0)
    (gradient,) = torch.autograd.grad(found['loss'], pooled)
    assert gradient.abs().sum(1).gt(0).tolist() == [True, True, False, True]
    predicted = head.predict(pooled=pooled, label=torch.tensor([4, 1, 2, 2]), valid=valid)
    assert predicted['accuracy'].isnan().tolist() == [False, False, True, False]
    assert predicted['chance'][[0, 1, 3]].tolist() == [0, 1, 0]  # always naming stride 1
    assert predicted['chance'][2].isnan()


def test_a_clip_without_a_stride_counts_in_no_batch():
    """A short clip of skeletons is padded only beside a longer one."""
    head = make()
    pooled, label = torch.randn(3, 5), torch.tensor([-1, 2, -1])
    valid = torch.ones(3, 1, 4, dtype=torch.bool)
    both = head.predict(pooled=pooled, label=label, valid=valid)
    assert both['accuracy'].isnan().tolist() == both['chance'].isnan().tolist()
    assert both['accuracy'].isnan().tolist() == [True, False, True]
    assert head.loss(pooled=pooled[:1], label=label[:1], valid=valid[:1])['loss'] == 0


@pytest.mark.parametrize('stride', [3, 8, 0])
def test_a_stride_that_the_head_does_not_know_is_refused(stride):
    label = torch.tensor([1, stride])
    with pytest.raises(ConfigError, match='3 classes, .*set num_classes, segments or strides'):
        make().loss(pooled=torch.randn(2, 5), label=label, valid=torch.ones(2, 3, dtype=bool))


def test_a_hidden_layer_is_an_option_and_strides_are_not_in_checkpoints():
    assert make().state_dict().keys() == {'classifier.weight', 'classifier.bias'}
    assert make(hidden_dim=8).classifier[0].out_features == 8
