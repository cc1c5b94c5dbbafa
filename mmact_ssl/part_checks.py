"""Check the parts that a file from outside names, before anything is built.

Anybody may have written a published model's card or a checkpoint's config. Unlike a config of the
user, they must not import modules, load weights from an address or read other files. At every depth
their types are listed in :mod:`mmact_ssl.allowed_types`, and their values are plain and bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mmact_ssl.allowed_types import (
    ALLOWED_TYPES,
    HANDED_ON,
    MAX_BY_KEY,
    MAX_DEPTH,
    MAX_NUMBER,
    MAX_PIXELS,
    MAX_VALUES,
    PATHWAYS,
    PLACES,
)

# Words in names of arguments that lead to files, addresses or weights.
OUTSIDE = re.compile(
    r'(^|_)(pretrained|checkpoint|weights|init_cfg|path|file|dir|root|url|backend|client|cache'
    r'|cfg_overlay)(_|$)'
)
KEY = re.compile(r'[A-Za-z]\w{0,60}')
# Names and modes: no address, no path, no expression, and nothing of a module.
PLAIN = re.compile(r'[\w+-]{0,100}')
# timm's names of networks may have a tag of their weights, which are not loaded.
TIMM_NAME = re.compile(r'\w+(\.\w+)?')
SCOPES = ('mmact_ssl', 'mmaction')


def check_part(config: Any, place: str, where: str) -> None:
    """Raise ValueError unless a part and everything inside it may be built.

    Args:
        config: Dict of plain values with ``type``.
        place: Key of :data:`ALLOWED_TYPES`.
        where: Name of the part in errors.
    """
    if not isinstance(config, dict) or 'type' not in config:
        raise ValueError(f'{where} is not a table with a type')
    _check_size(config, where)
    _check(config, where, '', ALLOWED_TYPES[place])


def _check_size(value: Any, where: str) -> None:
    values = sum(1 for _ in _leaves(value, MAX_DEPTH, where))
    if values > MAX_VALUES:
        raise ValueError(f'{where} is refused: it holds {values} values, more than {MAX_VALUES}')


def _leaves(value: Any, depth: int, where: str) -> Iterator[Any]:
    """All values in a tree, tables and lists among them; ValueError if it is too deep."""
    if depth < 0:
        raise ValueError(f'{where} is refused: it is more than {MAX_DEPTH} levels deep')
    yield value
    if isinstance(value, dict):
        value = list(value.values())
    for item in value if isinstance(value, (list, tuple)) else ():
        yield from _leaves(item, depth - 1, where)


def _check(value: Any, where: str, key: str, types: set[str]) -> None:
    """Check the value of a key; a dict there may have one of ``types``."""
    if isinstance(value, dict):
        if 'type' in value:
            _check_type(value['type'], where, types)
            types = set()
        for name, item in value.items():
            if not isinstance(name, str) or not KEY.fullmatch(name):
                raise ValueError(f'{where}.{str(name)[:60]!r} is refused: not a name')
            if OUTSIDE.search(name) and item not in (None, False):
                raise ValueError(f'{where}.{name} is refused: it leads out of the file')
            if key in HANDED_ON and name not in HANDED_ON[key]:
                raise ValueError(f'{where}.{name} is refused: unknown in {key}')
            if name == 'type':
                continue
            inner = ALLOWED_TYPES[PLACES[name]] if name in PLACES else PATHWAYS.get(name, types)
            _check(item, f'{where}.{name}', name, inner)
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            _check(item, f'{where}[{number}]', key, types)
    elif isinstance(value, str):
        if not (TIMM_NAME if key == 'model' else PLAIN).fullmatch(value):
            raise ValueError(f'{where} is {value[:60]!r}, refused: not a name')
    elif isinstance(value, (int, float)):
        most = MAX_BY_KEY.get(key, MAX_NUMBER)
        if not -most <= value <= most:  # neither is NaN
            raise ValueError(f'{where} is {str(value)[:20]}, refused: give at most {most}')
    elif value is not None:
        raise ValueError(f'{where} is a {type(value).__name__}, refused')


def _check_type(name: Any, where: str, types: set[str]) -> None:
    if not isinstance(name, str):
        raise ValueError(f'{where} is not a table with a type')
    if name not in types:
        raise ValueError(
            f'{where} is a {name[:60]!r}, refused: not on the list of types for this place '
            '(SECURITY.md; mmact_ssl.allowed_types takes your own)'
        )


def check_pipeline(steps: Any) -> None:
    """Raise ValueError unless the transforms of a pipeline may be built and used."""
    if not isinstance(steps, (list, tuple)):
        raise ValueError('pipeline is not a list')
    _check_size(steps, 'pipeline')
    for number, step in enumerate(steps):
        check_part(step, 'transform', f'pipeline[{number}]')
    # A frame of a skeleton has fewer than 16 x 16 values.
    frames, side = 1.0, 16.0
    for step in steps:
        frames *= {'ThreeCrop': 3, 'TenCrop': 10}.get(step['type'].rpartition('.')[2], 1)
        for key in ('clip_len', 'num_clips', 'num_sample_positions', 'num_frames', 'num_person'):
            frames *= _largest(step.get(key))
        # A single number is a factor; frames count as 1,000 pixels wide.
        scale = step.get('scale')
        factor = 1000 if isinstance(scale, (int, float)) else 1
        side = max(side, factor * _largest(scale), _largest(step.get('crop_size')))
    if frames * side**2 > MAX_PIXELS:
        raise ValueError(
            f'pipeline is refused: {frames:g} frames of {side:g} x {side:g} pixels a sample, more '
            f'than {MAX_PIXELS} pixels'
        )


def _largest(value: Any) -> float:
    numbers = [v for v in _leaves(value, MAX_DEPTH, 'pipeline') if isinstance(v, (int, float))]
    return max([1, *map(abs, numbers)])


def without_outside(value: Any, place: str) -> Any:
    """Copy a part of a config, with full names of types, without arguments that lead to files."""
    if isinstance(value, Mapping):
        part = {
            k: without_outside(v, PLACES.get(k, place))
            for k, v in value.items()
            if not OUTSIDE.search(str(k))
        }
        name = part.get('type')
        if isinstance(name, str) and '.' not in name:
            full = (f'{scope}.{name}' for scope in SCOPES)
            part['type'] = next((n for n in full if n in ALLOWED_TYPES[place]), name)
        return part
    if isinstance(value, (list, tuple)):
        items = [without_outside(item, place) for item in value]
        return items if isinstance(value, list) else tuple(items)
    return value


def plain_part(config: Any, place: str, where: str) -> dict[str, Any]:
    """Convert a part of a config to plain values with full names of types, as a card holds it.

    Raises:
        ValueError: A card may not hold it, see :func:`check_part`.
    """
    _check_size(config, where)
    part = without_outside(config, place)
    check_part(part, place, where)
    return part
