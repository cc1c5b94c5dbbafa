"""Recognition of orders: classes, clips that count, and another number of segments."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
import torch.nn.functional as F

from mmact_ssl.engine.launch import read_config
from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads.jigsaw import JigsawHead
from mmact_ssl.registry import MODELS
from mmact_ssl.shipped_configs import CONFIGS

ORDERS = torch.tensor(list(permutations(range(3))))


def test_the_loss_is_that_of_the_orders_class_over_shuffled_clips():
    torch.manual_seed(0)
    head = JigsawHead(in_channels=4, hidden_dim=8)
    pooled, number = torch.randn(6, 4, requires_grad=True), torch.tensor([0, 5, 2, 2, 1, -1])
    label = ORDERS[number]
    label[5] = -1  # not shuffled
    losses = head.loss(pooled=pooled, label=label)
    first, _, _, last = head.classifier
    hidden = pooled.detach().double() @ first.weight.T.double() + first.bias
    hidden = (hidden - hidden.mean(0)) / (hidden.var(0, unbiased=False) + 1e-5).sqrt()
    logits = hidden.clamp(min=0) @ last.weight.T.double() + last.bias
    expected = F.cross_entropy(logits[:5], number[:5])
    torch.testing.assert_close(losses['loss'].double(), expected, rtol=1e-4, atol=0)
    hits = (logits[:5].argmax(1) == number[:5]).double()
    assert float(losses['accuracy']) == pytest.approx(float(hits.mean()))
    predicted = head.predict(pooled=pooled, label=label)
    assert predicted['accuracy'].isnan().tolist() == [False] * 5 + [True]


@pytest.mark.parametrize('segments', [2, 4])
def test_another_number_of_segments_than_the_pipelines_is_refused(segments):
    """Its orders would be classes of the head, too, beside a wrong chance."""
    head = JigsawHead(in_channels=4, segments=segments)
    message = f'shuffles 3 segments, the head recognizes {segments}: set segments of both'
    with pytest.raises(ConfigError, match=message):
        head.loss(pooled=torch.randn(2, 4), label=ORDERS[:2])


def test_the_order_of_a_small_students_clip_is_told_from_this_clip_alone():
    """Batch normalization over few clips keeps the task at chance."""
    name = str(CONFIGS / 'order_r3d18-small.py')
    config = read_config(name, dataset='utdmhad').model.heads.order
    head = MODELS.build(config).train()
    pooled, label = torch.randn(5, config.in_channels), ORDERS[[0, 5, 2, 2, 1]]
    alone = [head.predict(pooled=pooled[i : i + 1], label=label[i : i + 1]) for i in range(5)]
    logits = head.predict(pooled=pooled, label=label)['logits']
    torch.testing.assert_close(torch.cat([one['logits'] for one in alone]), logits)


def test_orders_are_not_in_checkpoints():
    keys = JigsawHead(4, hidden_dim=None).state_dict().keys()
    assert keys == {'classifier.weight', 'classifier.bias'}
