"""The one check of values that stand in files: they have the types that their reader declares."""

from __future__ import annotations

import json
import os
from dataclasses import MISSING, fields, is_dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints, is_typeddict

from mmact_ssl.io.files import CONTROL, read_text, reading, shown

LEVELS = 50  # of nested values; with more, their use ends in errors of recursion
LONGEST = 10_000  # characters of a text
Count = Annotated[int, range(1 << 62)]  # bytes, steps, seeds
Table = dict[str, Any]


def read_json(path: str | os.PathLike[str], fix: str, kind: Any = Table) -> Any:
    """Read a JSON file of a declared type, see :func:`conform`."""
    text = read_text(path, fix)
    with reading(path, fix):
        return parse_json(text, kind)


def parse_json(text: str | bytes, kind: Any = Table) -> Any:
    """Parse JSON of a declared type; any error if it is something else."""
    return conform(json.loads(text), kind)


def conform(value: Any, kind: Any, place: str = 'it', levels: int = LEVELS) -> Any:
    """Return a value of a file as its declared type.

    Args:
        kind: A class: bool, int (of 64 bits), float (finite), str (without control characters), or
            another; ``Any`` for plain values; ``X | None``, ``list[X]``, ``tuple[X, Y]``,
            ``dict[X, Y]``; a dataclass, whose fields are the keys; a TypedDict, whose other keys
            stay; or one of these in ``Annotated``, with the ``range`` of an integer, or the
            pattern of a whole text.
        place: Name of the value in errors.
        levels: Greatest depth of a plain value.

    Raises:
        ValueError: The value is not of that type; the error names its key.
    """
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        value, rule = conform(value, args[0], place), args[1]
        fits = value in rule if isinstance(rule, range) else rule.fullmatch(value)
    elif origin in (list, tuple) and isinstance(value, (list, tuple)):
        kinds = args * len(value) if origin is list else args
        fits, parts = len(value) == len(kinds), enumerate(zip(value, kinds))
        value = origin(conform(part, inner, f'{place}.{n}') for n, (part, inner) in parts)
    elif origin is dict and isinstance(value, dict):
        for key in value:
            conform(key, args[0], f'a key of {place}')
        return {key: conform(part, args[1], f'{place}.{key:.60}') for key, part in value.items()}
    elif origin is not None and type(None) in args:
        return None if value is None else conform(value, args[0], place)
    elif (is_dataclass(kind) or is_typeddict(kind)) and isinstance(value, dict):
        return _table(value, kind, place)
    elif kind is Any and isinstance(value, (dict, list, tuple)):
        fits = levels > 0
        inside = [*value, *value.values()] if isinstance(value, dict) else value
        for part in inside if fits else ():
            conform(part, Any, place, levels - 1)
    elif kind is Any:
        fits = value is None or isinstance(value, (bool, int, float, str))
    elif kind is str:
        fits = isinstance(value, str) and len(value) <= LONGEST and not CONTROL.search(value)
    elif kind in (int, float):
        fits = type(value) in (int, kind) and abs(value) < (1 << 63 if kind is int else 1e300)
        value = kind(value) if fits else value
    else:
        fits = origin is None and not is_typeddict(kind) and isinstance(value, kind)
    if not fits:
        raise ValueError(f'{place} is {shown(value)}')
    return value


def _table(value: Table, kind: Any, place: str) -> Any:
    """A dict as its declared dataclass or TypedDict."""
    known = get_type_hints(kind, include_extras=True)
    if is_typeddict(kind):
        needed = set(kind.__required_keys__)
    else:
        needed = {f.name for f in fields(kind) if f.default is f.default_factory is MISSING}
        if unknown := [key for key in value if key not in known]:
            raise ValueError(f'{place} has {shown(unknown[0])}, which this version does not know')
    if missing := needed - value.keys():
        raise ValueError(f'{place} lacks {min(missing)!r}')
    checked = {k: conform(value[k], known[k], f'{place}.{k}') for k in known if k in value}
    return {**value, **checked} if is_typeddict(kind) else kind(**checked)
