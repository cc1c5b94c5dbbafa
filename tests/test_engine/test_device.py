"""Devices by name."""

from __future__ import annotations

import pytest
import torch

from mmact_ssl.engine.device import find_device
from mmact_ssl.errors import ConfigError


def test_what_is_here_is_found():
    assert find_device('cpu') == 'cpu'
    assert find_device() == ('cuda' if torch.cuda.is_available() else 'cpu')


@pytest.mark.parametrize('name', ['cuda:99', 'cudaa'])
def test_what_is_not_here_is_one_line(name):
    with pytest.raises(ConfigError, match=f"device '{name}' cannot be used here, there is cpu"):
        find_device(name)
