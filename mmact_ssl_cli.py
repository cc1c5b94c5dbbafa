"""The command ``mmact-ssl``: ``mmact-ssl train CONFIG`` runs ``tools/train.py CONFIG``.

It lies beside the package, because importing anything of that imports torch, and ``--help`` must
not wait for it.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

# Commands whose tools have longer names.
SHORT = {
    'extract': 'extract_targets',
    'prepare': 'prepare_data',
    'print-config': 'print_config',
    'prompts': 'generate_prompts',
    'publish': 'publish_model',
    'setup': 'setup_environment',
}


def find_tools() -> dict[str, Path]:
    """The tools by the names of their commands: of the wheel's copy, or of the checkout."""
    spec = importlib.util.find_spec('mmact_ssl')
    assert spec and spec.origin
    tools = {path.stem: path for path in Path(spec.origin).with_name('.mim').glob('tools/*.py')}
    names = {tool: name for name, tool in SHORT.items()}
    return {names.get(tool, tool): path for tool, path in tools.items()}


def load_tool(name: str) -> ModuleType:
    """Import the tool of a command."""
    path = find_tools()[name]
    spec = importlib.util.spec_from_file_location(f'mmact_ssl_{path.stem}', path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    return module


def full_path(text: str) -> Path:
    """Absolute path, which no tool takes for an option."""
    return Path(text).absolute()


def existing_path(text: str) -> str:
    """Path on the command line, checked before slow imports."""
    if not os.path.exists(text):
        raise argparse.ArgumentTypeError(f'{text}: there is no such file or folder')
    return text


class Parser(argparse.ArgumentParser):
    """Parser of a tool: ``~`` is the home folder in every word, also after a ``=``.

    Shells expand ``--out ~/x`` and not ``--out=~/x``. A description is shown as it is written.
    Tools parse first and import then: ``--help`` needs no torch.
    """

    def __init__(self, **options: Any) -> None:
        options.setdefault('formatter_class', argparse.RawDescriptionHelpFormatter)
        super().__init__(**options)

    def add_config_options(self) -> None:
        """Add the options of all tools that read a config: its data, and changes of it."""
        self.add_argument('--data', help='prepared folder, for a config that names no data set')
        self.add_argument(
            '--set',
            help='or a shipped data set, such as nwucla, or the path of a file as in '
            'configs/_base_/sets/',
        )
        self.add_argument(
            '--cfg-options',
            nargs='+',
            action='extend',
            metavar='KEY=VALUE',
            help='change the config, e.g. train_cfg.max_epochs=5 model.heads.pose=None',
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse words, by default those of the command line."""
        return super().parse_known_args(at_home(args), namespace)

    def parse_known_intermixed_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse words whose positional ones may come after options."""
        return super().parse_known_intermixed_args(at_home(args), namespace)


def at_home(words: Sequence[str] | None) -> list[str]:
    """Expand ``~`` at the beginning of words, and of values such as ``--out=~/x``."""
    home = os.path.expanduser('~')
    return [
        re.sub(r'^((?:[\w.-]+=)*)~(?=/|$)', lambda found: found[1] + home, word)
        for word in (sys.argv[1:] if words is None else words)
    ]


def main(argv: list[str] | None = None) -> None:
    """Run a tool in this process, as if it had been called by its file."""
    argv = sys.argv[1:] if argv is None else argv
    tools = find_tools()
    name = argv[0] if argv else '--help'
    if name in ('--help', '-h'):
        print('usage: mmact-ssl COMMAND [options], mmact-ssl COMMAND --help\n')
        width = max(map(len, tools)) + 2
        for name, path in sorted(tools.items()):
            lines = ast.get_docstring(ast.parse(path.read_text(encoding='utf-8'))) or ''
            print(f'  {name:{width}}{lines.partition("``")[0].splitlines()[0].rstrip(": .")}')
        print('\n`python -m mmact_ssl` prints what is installed; `mmact_ssl::NAME.py` is a config')
        print('that comes with the package, wherever a config is asked for')
        return
    if name not in tools:
        raise SystemExit(f'mmact-ssl: no command {name!r}, there are {", ".join(sorted(tools))}')
    sys.argv = [f'mmact-ssl {name}', *argv[1:]]  # the name is shown by --help
    load_tool(name).main()


if __name__ == '__main__':
    main()
