"""CSVR's configs, and the R3D-18 that all methods on video train."""

from __future__ import annotations

import torch

from tests.shipped import build, load


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_r3d18_is_torchvisions():
    """Number for number: torchvision's weights in our student give torchvision's features."""
    from torchvision.models.video import r3d_18

    torch.manual_seed(0)
    twin = r3d_18(weights=None).eval()
    backbone = build(load('csvr_r3d_k400.py')).backbone
    backbone.eval()  # mmaction2's returns nothing
    assert count(backbone) == count(twin) - count(twin.fc) == 33_166_272
    theirs = [value for name, value in twin.state_dict().items() if not name.startswith('fc.')]
    ours = backbone.state_dict()
    assert [value.shape for value in ours.values()] == [value.shape for value in theirs]
    backbone.load_state_dict(dict(zip(ours, theirs)), assign=True)
    frames = torch.randn(1, 3, 8, 32, 32)
    with torch.no_grad():
        features = twin.layer4(twin.layer3(twin.layer2(twin.layer1(twin.stem(frames)))))
        torch.testing.assert_close(backbone(frames)[-1], features)
