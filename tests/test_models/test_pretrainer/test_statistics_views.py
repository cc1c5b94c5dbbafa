"""Batch statistics that evaluation uses are those of the views that it sees."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from mmengine.registry import init_default_scope

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.encoding import frozen_statistics
from mmact_ssl.registry import MODELS
from tests.shipped import load


def make(**changes):
    """MS2L's tasks on a small ST-GCN, as shipped."""
    init_default_scope('mmact_ssl')
    whole = load('ms2l_stgcn_nwucla.py')
    whole.merge_from_dict({f'model.{key}': value for key, value in changes.items()})
    config = whole.model
    config.backbone.network.update(base_channels=4, num_stages=2, inflate_stages=[2])
    config.backbone.network.down_stages = [2]
    for head in filter(None, config.heads.values()):
        head.in_channels = 8
    torch.manual_seed(0)
    return MODELS.build(config).train()


def make_batch():
    torch.manual_seed(1)
    clip = torch.randn(6, 1, 8, 20, 3)
    masked = clip.clone()
    masked[:, :, 5:] = 0
    inputs = dict(clip=clip, masked=masked, shuffled=clip.flip(2) + 5)
    targets = {view: dict(valid=torch.ones(6, 1, 8).bool()) for view in inputs}
    targets['shuffled']['permutation'] = torch.tensor([*permutations(range(3))])
    return inputs, targets


def statistics(model) -> dict[str, torch.Tensor]:
    return {n: b.clone() for n, b in model.backbone.named_buffers() if 'running' in n}


def test_the_student_keeps_the_statistics_of_whole_clips_alone():
    inputs, targets = make_batch()
    model, alone = make(), make()
    before = statistics(model)
    logs = model(inputs, targets, mode='loss')
    alone.backbone(inputs['clip'])
    kept, expected = statistics(model), statistics(alone)
    assert kept and all(not torch.equal(kept[n], before[n]) for n in kept)
    assert all(torch.equal(kept[n], expected[n]) for n in kept)
    mixed = make(statistics_views=None)
    assert torch.equal(mixed(inputs, targets, mode='loss')['loss'], logs['loss']), 'losses stay'
    assert any(not torch.allclose(s, expected[n], rtol=0.1) for n, s in statistics(mixed).items())


def test_in_evaluation_nothing_moves_them():
    inputs, targets = make_batch()
    model = make().eval()
    before = statistics(model)
    model(inputs, targets, mode='tensor')
    assert all(torch.equal(s, before[n]) for n, s in statistics(model).items())


def test_statistics_come_back_after_an_error():
    model = make()
    with pytest.raises(RuntimeError), frozen_statistics(model.backbone):
        raise RuntimeError
    layers = [m for m in model.backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert layers and all(layer.momentum == 0.1 for layer in layers)


def test_a_layer_that_averages_over_its_batches_counts_none():
    layer, alone = (torch.nn.BatchNorm1d(2, momentum=None) for _ in range(2))
    for number, batch in enumerate(torch.randn(4, 8, 2)):
        layer(batch), alone(batch)
        with frozen_statistics(layer):
            layer(batch + number)
    assert torch.equal(layer.running_mean, alone.running_mean)


def test_a_view_that_is_not_encoded_is_refused():
    with pytest.raises(ConfigError, match=r"statistics_views names the view 'clip', but the stu"):
        make(encode=('masked', 'shuffled'))


def test_views_encoded_together_mix_no_statistics_either():
    inputs, targets = make_batch()
    alone, together = make(), make(encode_together=True)
    for model in (alone, together):
        model(inputs, targets, mode='loss')
    expected = statistics(alone)
    for name, value in statistics(together).items():
        torch.testing.assert_close(value, expected[name])
