"""Run the tests of what has changed since main, see CONTRIBUTING.md."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def git(*words: str) -> list[str]:
    return subprocess.check_output(['git', *words], cwd=ROOT, text=True).splitlines()


def changed_files(branch: str = 'main') -> list[Path]:
    """Paths changed since a branch was left, whether committed, uncommitted or new."""
    (base,) = git('merge-base', 'HEAD', branch)
    new = git('ls-files', '--others', '--exclude-standard')
    return [Path(name) for name in [*git('diff', '--name-only', '--no-renames', base), *new]]


def naming(word: str, files: Iterable[Path]) -> list[Path]:
    """Those of the files that have a word in them."""
    found = re.compile(rf'\b{re.escape(word)}\b')
    return [path for path in files if found.search(path.read_text())]


def mirrored_tests(path: Path, root: Path = ROOT) -> list[Path]:
    """Files and folders of tests of a changed file, all relative to the root."""
    tests, top, name = root / 'tests', path.parts[0], path.stem
    if top == 'tests' and path.name.startswith('test_'):
        found = [root / path] if (root / path).exists() else []
    elif path.name == 'conftest.py':
        found = [root / path.parent]
    elif top == 'tests':
        found = naming('.'.join(path.with_suffix('').parts), tests.rglob('test_*.py'))
    elif top in ('mmact_ssl', 'tools') and path.suffix == '.py':
        folders = path.parts[1:-1] if top == 'mmact_ssl' else path.parts[:-1]
        folder = tests.joinpath(*(f'test_{part}' for part in folders))
        found = [*folder.glob(f'test_{name.strip("_")}*')]
        found = found or naming(name, folder.glob('test_*.py'))
    elif top == 'configs':
        folder = tests / 'test_configs'
        found = [folder / 'test_every_config.py', *naming(name, folder.glob('test_*.py'))]
        found.append(tests / 'test_packaging/test_model_index.py')
    elif path.suffix == '.md':
        found = [tests / 'test_packaging/test_docs.py']
    else:
        found = naming(top, (tests / 'test_packaging').glob('test_*.py'))
    return [one.relative_to(root) for one in found]


if __name__ == '__main__':
    chosen = sorted({str(test) for path in changed_files() for test in mirrored_tests(path)})
    print('tests of what has changed:', *chosen or ['none, run make test'], sep='\n  ')
    sys.exit(pytest.main([*sys.argv[1:], *chosen]) if chosen else 0)
