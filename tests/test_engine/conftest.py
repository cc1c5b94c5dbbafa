"""Mixed precision on a CPU."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from mmengine.optim.optimizer import amp_optimizer_wrapper


@pytest.fixture
def amp_on_cpu(monkeypatch: pytest.MonkeyPatch, on_cpu: None) -> None:
    """mmengine's mixed precision, which asks for a GPU, with torch's real scaler on CPU."""
    monkeypatch.setattr(amp_optimizer_wrapper, 'is_cuda_available', lambda: True)
    monkeypatch.setattr(amp_optimizer_wrapper, 'GradScaler', partial(torch.amp.GradScaler, 'cpu'))
