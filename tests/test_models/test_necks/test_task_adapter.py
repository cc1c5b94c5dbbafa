"""Adapters and AdaIN against their formulas."""

from __future__ import annotations

import numpy as np
import torch

from mmact_ssl.models.necks.adaptive_instance_norm import adaptive_instance_norm
from mmact_ssl.models.necks.task_adapter import GatedAdapter


def test_a_gated_adapter_is_the_slow_formula():
    torch.manual_seed(0)
    adapter = GatedAdapter(8, 3).double()
    feature_map = torch.randn(2, 8, 2, 3, 3).double()
    found = adapter(feature_map)
    squeeze, _, excite, _ = adapter.gate
    for b in range(2):
        mean = torch.stack([feature_map[b, c].mean() for c in range(8)])
        hidden = (squeeze.weight @ mean + squeeze.bias).clamp(min=0)
        gate = 1 / (1 + (-(excite.weight @ hidden + excite.bias)).exp())
        for position in ((0, 0, 0), (1, 2, 1)):
            gated = gate * feature_map[(b, slice(None), *position)]
            expected = adapter.convolution.weight[:, :, 0, 0, 0] @ gated + adapter.convolution.bias
            torch.testing.assert_close(found[(b, slice(None), *position)], expected)


def maps() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    content = torch.randn(2, 3, 2, 4, 5, generator=generator) * 3 + 1
    style = torch.randn(2, 3, 3, 2, 2, generator=generator) * 0.5 - 2
    return content, style


def test_adain_equals_the_formula():
    content, style = maps()
    fused = adaptive_instance_norm(content, style, torch.nn.Identity())
    for b in range(2):
        for c in range(3):
            x, y = content[b, c].numpy().astype(float), style[b, c].numpy().astype(float)
            expected = np.std(y) * (x - np.mean(x)) / np.std(x) + np.mean(y)
            np.testing.assert_allclose(fused[b, c].numpy(), expected, rtol=1e-4, atol=2e-4)


def test_means_of_the_fused_map_are_taken_before_the_fusion():
    content, style = (one.double() for one in maps())
    pool = torch.nn.AdaptiveAvgPool3d((1, 3, 2))
    whole = adaptive_instance_norm(content, style, torch.nn.Identity())
    fused = adaptive_instance_norm(content, style, pool)
    torch.testing.assert_close(fused, pool(whole))


def test_a_constant_map_gives_no_infinity():
    content, style = maps()
    fused = adaptive_instance_norm(torch.ones_like(content), style, torch.nn.Identity())
    torch.testing.assert_close(fused, style.mean((2, 3, 4), keepdim=True).expand_as(fused))
    variable = torch.ones_like(content).requires_grad_()
    adaptive_instance_norm(variable, style, torch.nn.Identity()).square().sum().backward()
    assert variable.grad.isfinite().all()
