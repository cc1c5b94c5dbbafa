"""The adapter is a matrix on the channels of each place and time."""

from __future__ import annotations

import torch

from mmact_ssl.models.necks import ConvolutionAdapter


def test_each_place_is_adapted_by_one_matrix():
    torch.manual_seed(0)
    adapter = ConvolutionAdapter(in_channels=3, out_channels=5)
    trunk = torch.randn(2, 3, 2, 4, 4)
    weight, bias = adapter.convolution.weight[:, :, 0, 0, 0], adapter.convolution.bias
    expected = torch.einsum('oc,bcthw->bothw', weight, trunk) + bias.view(1, -1, 1, 1, 1)
    torch.testing.assert_close(adapter(trunk), expected)
