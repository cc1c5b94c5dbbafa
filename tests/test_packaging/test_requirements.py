"""Requirements: ranges in pyproject.toml alone, a tested set for each Python within them."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from mmact_ssl.upstream import preflight

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / 'requirements'
PYPROJECT = (ROOT / 'pyproject.toml').read_text()
PYTHONS = [f'3.{minor}' for minor in range(10, 15)]


def declared() -> list[tuple[str, Requirement]]:
    """Requirements of the package, extra '', and of its extras."""
    project = tomllib.loads(PYPROJECT)['project']
    groups = {'': project['dependencies'], **project['optional-dependencies']}
    parsed = [(extra, Requirement(line)) for extra, lines in groups.items() for line in lines]
    return [(extra, item) for extra, item in parsed if canonicalize_name(item.name) != 'mmact-ssl']


def constraints(release: str) -> dict[str, str]:
    """Version by name of the tested set of one Python."""
    lines = (REQUIREMENTS / f'constraints-{release}.txt').read_text().splitlines()
    pins = [line.partition('==') for line in lines if line and not line.startswith('#')]
    return {canonicalize_name(name): version for name, _, version in pins}


@pytest.mark.parametrize('release', PYTHONS)
def test_every_tested_set_is_within_the_ranges(release: str):
    pins = constraints(release)
    for extra, item in declared():
        if item.marker is not None and not item.marker.evaluate({'python_version': release}):
            continue
        name = canonicalize_name(item.name)
        if extra in ('', 'lite', 'tests', 'docs'):
            assert name in pins, f'{item.name} is not in constraints-{release}.txt'
        if name in pins:
            assert item.specifier.contains(pins[name], prereleases=True), item


def test_preflight_knows_the_same_pythons():
    (requires_python,) = re.findall(r'requires-python = "(.+)"', PYPROJECT)
    for minor in range(6, 30):
        inside = preflight.OLDEST_PYTHON <= (3, minor) <= preflight.NEWEST_PYTHON
        assert SpecifierSet(requires_python).contains(f'3.{minor}.1') == inside
        assert (f'3.{minor}' in PYTHONS) == inside
        assert (f'Python :: 3.{minor}"' in PYPROJECT) == inside


@pytest.mark.skipif(sys.version_info < (3, 11), reason='3.10 finds only packages that list modules')
def test_every_imported_package_is_required():
    """An import that works because something else happens to pull the package breaks one day."""
    imported = set()
    for path in [*(ROOT / 'mmact_ssl').rglob('*.py'), *(ROOT / 'tools').glob('*.py')]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                imported.add(node.module.split('.')[0])
    own = {'mmact_ssl', 'mmact_ssl_cli', 'tools'}
    imported -= {*own, 'mmpose', 'mmseg', *sys.stdlib_module_names}
    required = {canonicalize_name(item.name) for _, item in declared()}
    providers = packages_distributions()
    missing = {
        module
        for module in imported
        if not required & {canonicalize_name(name) for name in providers.get(module, [])}
    }
    assert missing == set()
