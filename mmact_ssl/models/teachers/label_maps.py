"""Body parts from a network's classes: label map files, and sums of probabilities."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor

from mmact_ssl.datasets.layouts import PART_LAYOUTS
from mmact_ssl.errors import ConfigError
from mmact_ssl.files import read_json, reading

KEYS = {'layout', 'classes', 'parts', 'ignored'}


@dataclass(frozen=True)
class LabelMap:
    """Map from a layout's parts to the indices of a segmentor's classes."""

    layout: str
    num_classes: int
    parts: dict[str, list[int]]


def read_label_map(path: str | os.PathLike[str]) -> LabelMap:
    """Read a label map: JSON with ``layout``, ``classes``, ``parts`` and ``ignored``.

    ``classes`` are the names of the segmentor's classes in the order of its channels. ``parts``
    lists the classes of each part of the layout, ``ignored`` the classes without a part. Each class
    must occur once in ``parts`` or ``ignored``.
    """
    fix = 'write a label map, see docs/extend/teacher_entries.md'
    with reading(path, fix):
        return _label_map(os.fspath(path), read_json(path, fix))


def _label_map(path: str, content: Any) -> LabelMap:
    if not isinstance(content, dict) or set(content) != KEYS:
        raise ConfigError(f'{path}: a label map has the keys {", ".join(sorted(KEYS))}')
    if content['layout'] not in PART_LAYOUTS:
        raise ConfigError(
            f'{path}: unknown layout {content["layout"]!r}; known are {", ".join(PART_LAYOUTS)}'
        )
    layout, classes, parts = PART_LAYOUTS[content['layout']], content['classes'], content['parts']
    if set(parts) != set(layout.names) or not all(parts.values()):
        wrong = [part for part in layout.names if not parts.get(part)]
        wrong += sorted(set(parts) - set(layout.names))
        raise ConfigError(f'{path}: parts must have classes for each of {layout.name}; see {wrong}')
    placed = [name for names in (*parts.values(), content['ignored']) for name in names]
    if sorted(placed) != sorted(set(classes)) or len(classes) != len(set(classes)):
        names = {*placed, *classes}
        wrong = sorted(n for n in names if placed.count(n) != 1 or classes.count(n) != 1)
        raise ConfigError(
            f'{path}: each class must be once in `classes` and once in `parts` or `ignored`; see '
            f'{wrong}'
        )
    indices = {part: [classes.index(name) for name in parts[part]] for part in layout.names}
    return LabelMap(layout.name, len(classes), indices)


def check_parts(
    parts: Mapping[str, Sequence[int]], num_classes: int, what: str, layout: str
) -> tuple[tuple[int, ...], ...]:
    """List the classes of each part, in the order of the layout if there is one."""
    sides = [part for part in parts if part.startswith(('left_', 'right_'))]
    if sides and not layout:
        raise ConfigError(
            f'{what} has the part {sides[0]!r} and no layout, by which a flip exchanges left and '
            f'right: give the teacher one of the layouts {", ".join(PART_LAYOUTS)}, with its parts'
        )
    if layout:
        _check_order(list(parts), what, layout)
    for part, classes in parts.items():
        if not classes or not all(0 <= index < num_classes for index in classes):
            raise ConfigError(
                f'{what} has the classes 0 to {num_classes - 1}, parts[{part!r}] is {list(classes)}'
            )
    return tuple(tuple(classes) for classes in parts.values())


def _check_order(parts: Sequence[str], what: str, layout: str) -> None:
    if layout not in PART_LAYOUTS:
        raise ConfigError(f'{what}: unknown layout {layout!r}; known are {", ".join(PART_LAYOUTS)}')
    for have, want in zip_longest(parts, PART_LAYOUTS[layout].names):
        if have != want:
            # Not sorted here: the fingerprint contains the order of the config.
            raise ConfigError(
                f'{what}: {have!r} of parts is where the layout {layout!r} has {want!r}: give the '
                "layout's parts in its order"
            )


def merge(maps: Tensor, channels: tuple[tuple[int, ...], ...] | None) -> Tensor:
    """Add the classes of each part: ``(N, classes, h, w)`` to ``(N, C, h, w)``; None: no change."""
    if channels is None:
        return maps
    merged = [maps[:, list(classes)].sum(1) for classes in channels]
    return torch.stack(merged, dim=1).clamp(0, 1)  # sums may exceed 1 in the last bit
