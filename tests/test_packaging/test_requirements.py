"""Requirements: ranges in pyproject.toml alone, a tested set for each Python within them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib.metadata import metadata, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from mmact_ssl.upstream import preflight

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / 'requirements'
PYPROJECT = (ROOT / 'pyproject.toml').read_text()
PYTHONS = [f'3.{minor}' for minor in range(10, 15)]
EXTRAS = metadata('mmact_ssl').get_all('Provides-Extra')


def declared() -> list[Requirement]:
    """Requirements of the package and of its extras, as they are installed."""
    parsed = map(Requirement, requires('mmact_ssl') or [])
    return [item for item in parsed if canonicalize_name(item.name) != 'mmact-ssl']


def constraints(release: str) -> dict[str, str]:
    """Version by name of the tested set of one Python."""
    lines = (REQUIREMENTS / f'constraints-{release}.txt').read_text().splitlines()
    pins = [line.partition('==') for line in lines if line and not line.startswith('#')]
    return {canonicalize_name(name): version for name, _, version in pins}


def test_the_installed_metadata_is_that_of_pyproject():
    """An old installation checks old ranges."""
    lists = re.findall(r'= \[\n?(.*?)\n?\]\n', PYPROJECT, re.DOTALL)
    quoted = {line for part in lists for line in re.findall(r'"([^"]+)"', part)}
    missing = [item for item in declared() if not any(_same(item, text) for text in quoted)]
    assert not missing, 'run make install again'


def _same(item: Requirement, text: str) -> bool:
    try:
        other = Requirement(text)
    except ValueError:
        return False
    return (item.name, item.specifier) == (other.name, other.specifier)


def test_no_build_of_mmcv_is_forced():
    """A compiled mmcv stays: its modules lie in the folder that mmcv-lite uses too."""
    always = {item.name for item in declared() if item.marker is None}
    assert not {'mmcv', 'mmcv-lite', 'mmcv-full'} & always


@pytest.mark.parametrize('release', PYTHONS)
def test_every_tested_set_is_within_the_ranges(release: str):
    pins = constraints(release)
    for item in declared():
        name = canonicalize_name(item.name)
        extras = {
            extra
            for extra in ('', *EXTRAS)
            if item.marker is None
            or item.marker.evaluate({'python_version': release, 'extra': extra})
        }
        if extras & {'', 'lite', 'tests', 'docs'}:
            assert name in pins, f'{item.name} is not in constraints-{release}.txt'
        if extras and name in pins:
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
    required = {canonicalize_name(item.name) for item in declared()}
    providers = packages_distributions()
    missing = {
        module
        for module in imported
        if not required & {canonicalize_name(name) for name in providers.get(module, [])}
    }
    assert missing == set()


def test_packages_are_named_not_located():
    """No address or index of packages: whoever installs chooses where from."""
    for path in [*REQUIREMENTS.glob('*.txt'), ROOT / 'Makefile', ROOT / 'pyproject.toml']:
        text = path.read_text()
        assert not re.search(r'https?://|--(extra-)?index-url|--find-links|file:', text), path


def test_only_the_ci_looks_beside_the_checkout():
    """The project does not depend on folders outside it; .ci/run may point tests at real data."""
    outside = '../' + 'shared'
    result = subprocess.run(
        ['git', 'grep', '-l', outside], cwd=ROOT, capture_output=True, text=True
    )
    if result.returncode > 1:
        pytest.skip('not a git checkout')
    assert set(result.stdout.split()) <= {'.ci/run'}
