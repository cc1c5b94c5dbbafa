"""Label maps: files that say which classes of a segmentor make which part."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from mmact_ssl.datasets.layouts import PART_LAYOUTS
from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers.weights import require_file

KEYS = {'layout', 'classes', 'parts', 'ignored'}


@dataclass(frozen=True)
class LabelMap:
    """A segmentor's classes, folded to the parts of a layout.

    Attributes:
        layout: Name of a part layout.
        num_classes: Of the segmentor.
        parts: Part -> indices of its classes, in the order of the layout.
    """

    layout: str
    num_classes: int
    parts: dict[str, list[int]]


def read_label_map(path: str | os.PathLike[str]) -> LabelMap:
    """Read a label map: JSON with ``layout``, ``classes``, ``parts`` and ``ignored``.

    ``classes`` are the names of the segmentor's classes in the order of its channels, ``parts``
    says of each part of the layout which of them make it, ``ignored`` are those that make none.
    Nothing is left to chance: each class must be in exactly one place.

    Raises:
        DataError: No such file.
        ConfigError: It is no such JSON, the layout is unknown, a part is missing or unknown, or a
            class is missing, unknown or in two places.
    """
    path = os.fspath(path)
    require_file(path, 'label map')
    try:
        with open(path, encoding='utf-8') as file:
            content = json.load(file)
    except ValueError as error:
        raise ConfigError(f'{path}: not JSON ({error})') from None
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
    for problem, names in (
        ('lacks the class', [name for name in classes if name not in placed]),
        ('names a class that is not in `classes`', [n for n in placed if n not in classes]),
        ('has in two places the class', [n for n in placed if placed.count(n) > 1]),
        ('has twice in `classes`', [n for n in classes if classes.count(n) > 1]),
    ):
        if names:
            raise ConfigError(
                f'{path}: {problem} {names[0]!r}; each class belongs to one part or to `ignored`'
            )
    indices = {part: [classes.index(name) for name in parts[part]] for part in layout.names}
    return LabelMap(layout.name, len(classes), indices)
