"""Prepare a data set.

    mmact-ssl prepare SET --help
    mmact-ssl prepare jhmdb --source ~/Downloads/jhmdb

A new set is one file, see mmact_ssl/preparation/__init__.py. The sets are
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from mmact_ssl_cli import Parser

DEMO_WORLD = Path(__file__).resolve().with_name('demo_world')  # only in a checkout


def main(argv: list[str] | None = None) -> None:
    sets = find_sets()
    listed = ''.join(f'    {name:13}{line}\n' for name, (_, line) in sets.items())
    parser = Parser(description=f'{__doc__}\n{listed}')
    parser.add_argument('set', choices=tuple(sets), metavar='SET')
    parser.add_argument('options', nargs=argparse.REMAINDER, metavar='...')
    args = parser.parse_args(argv)

    name, (module_name, line) = args.set, sets[args.set]
    module = import_set(module_name)
    from mmact_ssl.errors import one_line_errors
    from mmact_ssl.io.files import reading
    from mmact_ssl.preparation.files import write_flip

    parser = Parser(prog=f'{parser.prog} {name}', description=line)
    add_options(parser, name, module)
    options = vars(parser.parse_args(args.options))
    if 'name' in inspect.signature(module.prepare).parameters:
        options['name'] = name
    source, out, flip = options.get('source', options['out']), options['out'], options.pop('flip')
    with one_line_errors():
        with reading(source, 'see docs/extend/data.md'):
            counts = module.prepare(**options)
            write_flip(out, flip)
        counted = ', '.join(f'{count} {what.replace("_", " ")}' for what, count in counts.items())
        print(f'{out}: {counted}')


def find_sets() -> dict[str, tuple[str, str]]:
    """Module and line of help of each set, read without imports, which take seconds."""
    sets = {'demo': ('demo_world', 'generate the synthetic demo world')}
    for path in sorted(preparation_folder().glob('*.py')):
        for node in ast.parse(path.read_text(encoding='utf-8')).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == 'SETS':
                lines = ast.literal_eval(node.value)
                sets.update({name: (path.stem, line) for name, line in lines.items()})
    return sets


def preparation_folder() -> Path:
    """Find the folder of mmact_ssl.preparation without importing it."""
    spec = importlib.util.find_spec('mmact_ssl')
    assert spec and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0], 'preparation')


def import_set(module: str) -> ModuleType:
    """Import the module of a set, and no other: it may need packages that other sets do not."""
    if module != DEMO_WORLD.name:
        return importlib.import_module(f'mmact_ssl.preparation.{module}')
    if not DEMO_WORLD.is_dir():
        raise SystemExit('demo: needs a checkout of the repository; run it there')
    sys.path.append(str(DEMO_WORLD.parent))
    return importlib.import_module(module)


def add_options(parser: Parser, name: str, module: ModuleType) -> None:
    """Add an option for each argument of the set's ``prepare``, with its default."""
    from mmact_ssl.datasets.layouts import LAYOUTS
    from mmact_ssl.preparation.files import data_root

    options: dict[str, dict[str, Any]] = {
        'source': dict(type=Path, help='folder or file that was downloaded, or your own data'),
        'out': dict(type=Path, help='folder to write to'),
        'layout': dict(choices=tuple(LAYOUTS), help='joint order'),
        'coordinates': dict(choices=('xyz', 'xyc', 'xy'), help='values of a joint; c is a score'),
        'placement': dict(choices=('copy', 'link'), help='copy the videos, or make symbolic links'),
        'seed': dict(type=int, help='of all that is drawn'),
        **getattr(module, 'OPTIONS', {}),
    }
    takes = inspect.signature(module.prepare).parameters
    for argument in (argument for argument in takes if argument != 'name'):
        default = takes[argument].default
        if argument == 'out' and 'layout' not in takes:  # your own skeletons have no folder yet
            default = data_root() / name
        is_required = default is inspect.Parameter.empty
        options[argument].update(dict(required=True) if is_required else dict(default=default))
        parser.add_argument(f'--{argument.replace("_", "-")}', **options[argument])
    parser.add_argument('--flip', action=argparse.BooleanOptionalAction, help='mirror clips or not')


if __name__ == '__main__':
    main()
