"""The normalization of projectors: torch's own, but for a batch of one row."""

from __future__ import annotations

import torch
from torch import nn

from mmact_ssl.models.networks.projector import RowNorm


def test_rows_are_normalized_as_torch_does_and_one_alone_by_the_running_statistics():
    torch.manual_seed(0)
    own, known = RowNorm(3).double(), nn.BatchNorm1d(3).double()
    rows = 2 + 3 * torch.randn(5, 3).double()
    assert torch.equal(own(rows), known(rows))
    before = {name: value.clone() for name, value in own.state_dict().items()}
    assert torch.equal(own(rows[:1]), known.eval()(rows[:1]))
    assert all(torch.equal(value, before[name]) for name, value in own.state_dict().items())
    assert before.keys() == known.state_dict().keys()
