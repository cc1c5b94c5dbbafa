"""Configs and cards inside checkpoints, read as data and never run: a file may be anybody's."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from mmact_ssl.checkpoint_file import check_end, load_checkpoint_safely
from mmact_ssl.errors import CheckpointError
from mmact_ssl.files import reading

# The key of a published model's card in the metadata of its file.
CARD_KEY = 'mmact_ssl_card'


def read_saved_config(
    checkpoint: str | os.PathLike[str], names: Sequence[str]
) -> tuple[str, dict[str, Any]]:
    """Read the config that a training checkpoint holds.

    Returns:
        The name of the config, '' if there is none, and the values of those ``names`` that the
        config assigns; of ``*_name`` only what may become a part of a file's name. No values if the
        text is not a config, or one of them is not plain.
    """
    meta = load_checkpoint_safely(checkpoint).get('meta', {})
    values = {}
    with suppress(SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        values = read_assignments(str(meta.get('cfg', '')), names)
    plain = {
        key: value
        for key, value in values.items()
        if not key.endswith('_name') or re.fullmatch(r'[\w.-]+', str(value))
    }
    return re.sub(r'_\d{8}_\d{6}$', '', str(meta.get('experiment_name', ''))), plain


def read_saved_card(path: str | os.PathLike[str]) -> Any:
    """Read the card in a .safetensors or .onnx file as plain values; None without one.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    from safetensors import safe_open

    path = os.fspath(path)
    if path.endswith('.onnx'):
        from mmact_ssl.onnx_file import FIX, read_onnx

        _, metadata = read_onnx(path)
        with reading(path, FIX, CheckpointError):
            return json.loads(metadata.get(CARD_KEY, 'null'))
    fix = 'download it again, or publish it by tools/publish_model.py'
    with reading(path, fix, CheckpointError):
        check_end(path)
        with safe_open(path, framework='np') as file:
            text = (file.metadata() or {}).get(CARD_KEY)
        return None if text is None else json.loads(text)


def read_assignments(text: str, names: Sequence[str]) -> dict[str, Any]:
    """Read plain values, and calls of ``dict``, that a dumped config assigns to some names.

    Names such as ``inf`` and ``torch.bfloat16`` are read as texts.
    """
    found = {}
    for node in ast.parse(text).body:
        name = getattr(node.targets[0], 'id', '') if isinstance(node, ast.Assign) else ''
        if name in names:
            found[name] = _value(node.value)  # type: ignore[attr-defined]
    return found


def _value(node: ast.AST) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        return {str(keyword.arg): _value(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict):
        keys = [_value(key) for key in node.keys if key is not None]
        return dict(zip(keys, map(_value, node.values)))
    if isinstance(node, (ast.List, ast.Tuple)):
        return (list if isinstance(node, ast.List) else tuple)(map(_value, node.elts))
    if isinstance(node, (ast.Name, ast.Attribute)):
        return ast.unparse(node)
    return ast.literal_eval(node)  # type: ignore[arg-type]


def find_value(part: Any, key: str) -> Any:
    """Find the first value of a key in a dict and in what is inside of it; None without any."""
    if isinstance(part, Mapping):
        if key in part:
            return part[key]
        part = list(part.values())
    if not isinstance(part, (list, tuple)):
        return None
    return next((found for one in part if (found := find_value(one, key)) is not None), None)
