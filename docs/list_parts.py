#!/usr/bin/env python
"""Write docs/extend/parts.md: every registered part, with a link to its docstring.

``--check`` changes nothing and exits with status 1 if the page differs from the registries.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from mmact_ssl_cli import Parser

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / 'docs/extend/parts.md'
sys.path.insert(0, str(ROOT))
HEAD = """# Parts

This page, written by `docs/list_parts.py`, lists every registered part by folder. Each name leads
to the docstring. A config of this package writes a part as `type='…'`, any other as
`type='mmact_ssl.…'`. `make docs` writes a reference of [heads](api/heads.md),
[losses](api/losses.md), [transforms](api/transforms.md) and [hooks](api/hooks.md).

| `mmact_ssl/` | parts |
|---|---|
"""


def find_parts() -> dict[str, dict[str, type]]:
    """Parts in all registries of this package, by folder and name."""
    from mmact_ssl import registry

    parts: dict[str, dict[str, type]] = defaultdict(dict)
    for own in vars(registry).values():
        if isinstance(own, registry.Registry) and own.scope == registry.SCOPE:
            own.import_from_location()
            for name, part in own.module_dict.items():
                if part.__module__.startswith('mmact_ssl.'):  # tests register theirs too
                    parts[part.__module__.rpartition('.')[0].replace('.', '/')][name] = part
    return parts


def make_page() -> str:
    """The page in Markdown."""
    page = HEAD
    for folder, parts in sorted(find_parts().items()):
        links = [
            f'[`{name}`](../../{part.__module__.replace(".", "/")}.py)'
            for name, part in sorted(parts.items())
        ]
        page += f'| `{folder.removeprefix("mmact_ssl/")}` | {", ".join(links)} |\n'
    return page


def main(argv: list[str] | None = None) -> None:
    parser = Parser(description=__doc__)
    parser.add_argument('--check', action='store_true', help='compare only')
    if not parser.parse_args(argv).check:
        PAGE.write_text(make_page(), encoding='utf-8')
    elif PAGE.read_text(encoding='utf-8') != make_page():
        raise SystemExit(f'error: {PAGE} is out of date; run python docs/list_parts.py')


if __name__ == '__main__':
    main()
