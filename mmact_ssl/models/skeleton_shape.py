"""Persons, joints and coordinates that a module is built for, against those that it gets."""

from __future__ import annotations

from torch import Tensor

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.errors import ConfigError


def skeleton_shape(
    owner: str, layout: str, num_persons: int, in_channels: int
) -> tuple[int, int, int]:
    """Persons, joints and coordinates ``(M, V, C)`` of the clips that a module is built for.

    Raises:
        ConfigError: There is no such layout.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f'{owner}: there is no layout {layout!r}, use one of {sorted(LAYOUTS)}')
    return num_persons, LAYOUTS[layout].num_joints, in_channels


def check_skeleton_shape(owner: str, x: Tensor, expected: tuple[int, int, int]) -> None:
    """Compare clips ``[B, M, T, V, C]`` with the ``(M, V, C)`` that a module is built for.

    Raises:
        ConfigError: They differ.
    """
    found = (x.shape[1], *x.shape[3:])
    if found != expected:
        names = ('persons', 'joints', 'coordinates')
        shapes = [', '.join(f'{n} {name}' for n, name in zip(s, names)) for s in (found, expected)]
        raise ConfigError(
            f'{owner} got clips of {shapes[0]} but is built for {shapes[1]}: set its layout and '
            'numbers of persons and coordinates to what the pipeline gives'
        )
