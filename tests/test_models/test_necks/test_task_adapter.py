"""The adapter is a matrix on the channels of each place and time."""

from __future__ import annotations

import torch

from mmact_ssl.models.necks.task_adapter import GatedAdapter


def test_a_gated_adapter_is_the_slow_formula():
    torch.manual_seed(0)
    adapter = GatedAdapter(8, 3, reduction=2).double()
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
