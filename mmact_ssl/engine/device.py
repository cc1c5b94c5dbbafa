"""Devices by name."""

from __future__ import annotations

import torch
from mmengine.device import get_device

from mmact_ssl.errors import ConfigError


def find_device(name: str | None = None) -> str:
    """Check that this machine has a device; without a name, choose its GPU if it has one.

    Raises:
        ConfigError: torch knows no such device, or this machine has none.
    """
    if name is None:
        return get_device()
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:  # the latter of a torch without CUDA
        gpus = [f'cuda:{i}' for i in range(torch.cuda.device_count())]
        raise ConfigError(
            f'device {name!r} cannot be used here, there is {", ".join(["cpu", *gpus])}'
        ) from error
    return name
