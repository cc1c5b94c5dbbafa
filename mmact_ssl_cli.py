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
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

# Commands whose tools have longer names.
SHORT = {
    'extract': 'extract_targets',
    'prepare': 'prepare_data',
    'print-config': 'print_config',
    'prompts': 'generate_prompts',
    'publish': 'publish_model',
    'setup': 'setup_environment',
}


def load_tool(name: str) -> ModuleType:
    """Import the tool of a command."""
    path = find_tools()[name]
    spec = importlib.util.spec_from_file_location(f'mmact_ssl_{path.stem}', path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    return module


def find_tools() -> dict[str, Path]:
    """The tools by the names of their commands: of the wheel's copy, or of the checkout."""
    tools = {path.stem: path for path in shipped('tools')}
    names = {tool: name for name, tool in SHORT.items()}
    return {names.get(tool, tool): path for tool, path in tools.items()}


def shipped(folder: str) -> list[Path]:
    """Python files of a folder of the wheel's copy, or of the checkout."""
    spec = importlib.util.find_spec('mmact_ssl')
    assert spec and spec.origin
    return [*Path(spec.origin).with_name('.mim').glob(f'{folder}/*.py')]


def full_path(text: str) -> Path:
    """Absolute path, which no tool takes for an option."""
    return Path(text).absolute()


def full_teacher(text: str) -> str:
    """Name of a teacher; a config or ``hf:FOLDER`` that is there by its absolute path."""
    prefix, path = 'hf:' * text.startswith('hf:'), text.removeprefix('hf:')
    is_here = os.path.exists(path) and (prefix or path.endswith('.py'))
    return prefix + os.path.abspath(path) if is_here else text


def existing_path(text: str) -> str:
    """Path on the command line, checked before slow imports."""
    if not os.path.exists(text):
        raise argparse.ArgumentTypeError(f'{text}: there is no such file or folder')
    return text


def output_folder(path: Path) -> str:
    """Why nothing can be written to a folder, which may be missing; '' if it can."""
    folder = path.absolute()
    try:
        while not folder.exists():
            folder = folder.parent
    except OSError as error:  # such as a name that is too long
        return f'{path}: {error.strerror}'
    if not folder.is_dir():
        return f'{folder} is a file, not a folder'
    return '' if os.access(folder, os.W_OK | os.X_OK) else f'{folder} cannot be written to'


def output_model(path: Path) -> str:
    """Why no model of this name can be written."""
    if not re.fullmatch(r'\w[\w.+-]{0,99}', path.name):
        return 'give FOLDER/NAME, a name of at most 100 letters, digits, and . + - _'
    return output_folder(path.parent)


def row_name(text: str) -> str:
    """Why a text is not the name of a row in tables."""
    fits = re.fullmatch(r'\w[\w .,()²/+-]{0,99}', text)
    return '' if fits else 'give at most 100 letters, digits, blanks and . , ( ) / + -'


def one_line(text: str) -> str:
    """Why a text cannot stand on a card."""
    return '' if text.isprintable() and len(text) < 1000 else 'give one line'


def seed(number: int) -> str:
    """Why a number is not the seed of a generator."""
    return '' if 0 <= number < 1 << 32 else f'give 0 to {(1 << 32) - 1}'


def positive(number: int) -> str:
    """Why a number is no count of what is there."""
    return '' if number > 0 else 'give 1 or more'


def teacher(name: str) -> str:
    """Why there is no teacher of this name; the path of a config is read later."""
    names = sorted(path.stem for path in shipped('configs/teachers'))
    is_known = name.endswith('.py') or name.startswith('hf:') or name in names
    return '' if is_known else f'no such config as {name}: a path, or one of {", ".join(names)}'


def resumed(path: str) -> str:
    """Why training cannot go on from a checkpoint."""
    is_known = path == 'auto' or '://' in path or os.path.exists(path)
    return '' if is_known else f'{path}: there is no such file'


# Checks of the options of all tools, before any work.
CHECKS: dict[str, Callable[[Any], str]] = {
    **dict.fromkeys(('out', 'work_dir', 'dest', 'index'), lambda text: output_folder(Path(text))),
    'output': output_model,
    'resume': resumed,
    'teacher': teacher,
    **dict.fromkeys(('method', 'variant'), row_name),
    **dict.fromkeys(('licence', 'trained_on'), one_line),
    **dict.fromkeys(('seed', 'seeds'), seed),
    **dict.fromkeys(('steps', 'every', 'workers'), positive),
}


def reading_options(args: argparse.Namespace) -> dict[str, Any]:
    """Values of the options that say how a model reads its files, for an inferencer."""
    return {name: vars(args)[name] for name in ('layout', 'coordinates', 'encoder')}


class Parser(argparse.ArgumentParser):
    """Parser of a tool: ``~`` is the home folder in every word, also after a ``=``.

    Shells expand ``--out ~/x`` and not ``--out=~/x``. A description is shown as it is written.
    Tools parse first and import then: ``--help`` needs no torch.
    """

    def __init__(self, **options: Any) -> None:
        options.setdefault('formatter_class', argparse.RawDescriptionHelpFormatter)
        super().__init__(**options)
        if sys.stdout is None:  # closed by `>&-`
            sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), 'w')

    def error(self, message: str) -> NoReturn:
        """End with a mistake of the command line, in one line that a terminal can show."""
        super().error(''.join(c if c.isprintable() else '?' for c in message)[:1000])

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End, also if nobody reads the help to its end."""
        try:
            sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        super().exit(status, message)

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

    def add_launcher_option(self) -> None:
        """Add the options of tools that several processes may run."""
        launchers = ['none', 'pytorch', 'slurm', 'mpi']
        self.add_argument('--launcher', choices=launchers, default='none')
        self.add_argument('--local_rank', '--local-rank', type=int, help=argparse.SUPPRESS)

    def add_encoder_option(self) -> None:
        """Add the option of all tools that read a student from a file."""
        self.add_argument(
            '--encoder',
            metavar='NAME[,OPTION=VALUE]',
            help='a config of configs/encoders/ by its name, or the path of another one; by '
            'default the one that the file of the student records',
        )

    def add_source_options(self) -> None:
        """Add the folder of a user, its labels, and what arrays of skeletons in it hold."""
        self.add_argument(
            'folder', type=full_path, metavar='FOLDER', help='videos, or a file of skeletons'
        )
        self.add_argument(
            '--labels',
            metavar='TABLE',
            help='table video,label[,group] of the videos that have a label; or the word folders, '
            'if the first folder below FOLDER is the class',
        )
        self.add_skeleton_options()

    def add_skeleton_options(self) -> None:
        """Add the options that tell what arrays of skeletons hold."""
        self.add_argument(
            '--layout', default='', help='joint order of skeletons, if several have their number'
        )
        self.add_argument(
            '--coordinates',
            default='',
            choices=('xyz', 'xyc', 'xy'),
            help='values of a joint of skeletons: c is a score; xy leaves out a third value',
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse words, by default those of the command line, with ``~`` expanded in each."""
        home = os.path.expanduser('~')
        words = [
            re.sub(r'^((?:[\w.-]+=|hf:)*)~(?=/|$)', lambda found: found[1] + home, word)
            for word in (sys.argv[1:] if args is None else args)
        ]
        parsed, rest = super().parse_known_args(words, namespace)
        for name, check in CHECKS.items():
            value = getattr(parsed, name, None)
            for one in value if isinstance(value, list) else [value]:
                if one is not None and (problem := check(one)):
                    self.error(f'--{name.replace("_", "-")}: {problem}')
        return parsed, rest


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
