"""Views of a student in training mode: exact batch statistics."""

from __future__ import annotations

import copy

import torch
from mmengine.config import Config

from mmact_ssl.models.encoding import encode_view
from mmact_ssl.registry import MODELS
from tests.shipped import CONFIGS


def test_batch_statistics_of_a_still_background_are_exact():
    """With channels last in memory torch adds up thousands of equal numbers with an error of 1e-3.

    The gradient of the first convolution is then off by 7 %.
    """
    torch.manual_seed(0)
    cfg = Config.fromfile(CONFIGS / '_base_' / 'students' / 'r3d18-small.py')
    backbone = MODELS.build({**cfg.backbone, 'out_indices': (3,)})
    backbone.init_weights()
    clips = torch.full((8, 3, 8, 64, 64), -1.7)
    clips[..., 16:40, 16:40] += torch.randn(8, 3, 8, 24, 24)
    exact = copy.deepcopy(backbone).double()
    found = {}
    for network in (backbone, exact):
        network.train()
        maps = encode_view(network, clips.to(next(network.parameters()).dtype), None, False)[-1]
        maps.mean((2, 3, 4)).square().sum().backward()
        found[network] = network.conv1.bn.running_mean, network.layer4[1].conv2.conv.weight.grad
    for values, expected in zip(found[backbone], found[exact]):
        assert (values - expected).norm() < 2e-5 * expected.norm()
