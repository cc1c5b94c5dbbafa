"""The text of a config, as mmengine logs it and writes it beside the checkpoints."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from yapf.yapflib.yapf_api import FormatCode

WIDTH = 99


def format_config(text: str, **options: Any) -> tuple[str, bool]:
    """Break the long lines of a config, in the place of yapf's ``FormatCode``.

    What fits stays on one line; else each part has a line of its own (our choice). mmengine asks
    yapf for the same text four times before the first step and again for every checkpoint, each
    time for a second or more; this takes some hundredths. What Python cannot parse goes to yapf
    with its ``options``: mmengine writes ``{True: 1}`` as ``dict(True=1)``, which yapf accepts.
    """
    try:
        statements = ast.parse(text).body
    except SyntaxError:
        return FormatCode(text, **options)
    lines = []
    for statement in statements:
        if isinstance(statement, ast.Assign):
            name = ' = '.join(map(ast.unparse, statement.targets)) + ' = '
            lines.append(name + _lay_out(statement.value, 0, len(name)))
        else:
            lines.append(ast.unparse(statement))
    return '\n'.join([*lines, '']), True


def _lay_out(value: ast.expr, indent: int, column: int) -> str:
    """Text of a value whose line is indented by ``indent`` and which begins at ``column``."""
    flat = ast.unparse(value)
    brackets, parts = _take_apart(value)
    # One more column for the comma that may follow.
    if not parts or column + len(flat) < WIDTH:
        return flat
    inner = ' ' * (indent + 4)
    rows = [
        f'{inner}{name}{_lay_out(part, indent + 4, indent + 4 + len(name))},'
        for name, part in parts
    ]
    return '\n'.join([brackets[:-1], *rows, ' ' * indent + brackets[-1]])


def _take_apart(value: ast.expr) -> tuple[str, list[tuple[str, ast.expr]]]:
    """Brackets and parts of a call, list, tuple or dictionary; no parts of anything else."""
    named: Iterable[tuple[str, ast.expr]] = ()
    brackets = '()'
    if isinstance(value, ast.Call) and isinstance(value.func, (ast.Name, ast.Attribute)):
        brackets = f'{ast.unparse(value.func)}()'
        keywords = ((f'{word.arg}=' if word.arg else '**', word.value) for word in value.keywords)
        named = [*(('', part) for part in value.args), *keywords]
    elif isinstance(value, (ast.List, ast.Tuple)):
        brackets = '[]' if isinstance(value, ast.List) else '()'
        named = [('', part) for part in value.elts]
    elif isinstance(value, ast.Dict) and all(value.keys):
        brackets = '{}'
        keys = (f'{ast.unparse(key)}: ' for key in value.keys if key)
        named = list(zip(keys, value.values))
    return brackets, list(named)
