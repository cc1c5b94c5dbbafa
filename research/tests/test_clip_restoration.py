"""ClipRestorationHead: its loss, its trivial answer, and what it trains."""

from __future__ import annotations

import pytest
import torch

from research.parts.clip_restoration import ClipRestorationHead


@pytest.fixture
def head():
    torch.manual_seed(0)
    return ClipRestorationHead(5, 'jhmdb15', num_frames=2, num_persons=2, coordinates=2).double()


def test_the_error_is_that_of_every_coordinate(head):
    pooled, clip = torch.randn(3, 5).double(), torch.randn(3, 2, 2, 15, 2).double()
    terms = head.terms(pooled, clip)
    restored = head.projector(pooled).view_as(clip)
    moved, clip = clip + torch.randn(3, 2, 2, 1, 2).double(), clip - clip.mean(3, keepdim=True)
    for name, term in head.terms(pooled, moved).items():
        torch.testing.assert_close(term.value, terms[name].value)
    mean = clip.mean(0)
    for sample in range(3):
        pairs = zip(restored[sample].flatten().tolist(), clip[sample].flatten().tolist())
        expected = sum((one - other) ** 2 for one, other in pairs) / (2 * 2 * 15 * 2)
        assert abs(terms['loss'].value[sample].item() - expected) < 1e-12
        constant = (clip[sample] - mean).square().mean()
        torch.testing.assert_close(terms['error_constant'].value[sample], constant)
    torch.testing.assert_close(terms['error'].value, terms['loss'].value)
