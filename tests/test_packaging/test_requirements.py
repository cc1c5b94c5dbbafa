"""Requirements: a GPU environment is left alone, the CPU one is pinned whole."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / 'requirements'


def read(name: str) -> list[Requirement]:
    lines = (REQUIREMENTS / f'{name}.txt').read_text().splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.startswith('#')]


CONSTRAINTS = {canonicalize_name(item.name): item for item in read('constraints')}
FILES = ['runtime', 'cpu', 'docs', 'onnx', 'teachers', 'text', 'search', 'tensorboard', 'tests']


def test_installing_forces_no_build_of_torch_or_mmcv():
    runtime = {item.name: item for item in read('runtime')}
    assert str(runtime['torch'].specifier) == ''
    assert str(runtime['torchvision'].specifier) == ''
    assert not {'mmcv', 'mmcv-lite', 'mmcv-full'} & set(runtime)


@pytest.mark.parametrize('name', FILES)
def test_every_requirement_is_pinned_within_its_range(name: str):
    for item in read(name):
        pinned = CONSTRAINTS.get(canonicalize_name(item.name))
        assert pinned is not None, f'{item.name} is not in constraints.txt'
        (pin,) = pinned.specifier
        assert pin.operator == '=='
        assert item.specifier.contains(pin.version, prereleases=True)


def test_the_checked_versions_are_the_required_ones():
    """compat.check_versions and the requirement files name the same ranges."""
    from mmact_ssl.compat import REQUIRED_VERSIONS

    required = {item.name: item.specifier for name in FILES for item in read(name)}
    required.update({item.name: item.specifier for item in read('mminstall')})
    for distributions, minimum, maximum, _ in REQUIRED_VERSIONS.values():
        for name in set(distributions) & set(required):
            assert required[name] == Requirement(f'{name}>={minimum},<{maximum}').specifier


@pytest.mark.skipif(sys.version_info < (3, 10), reason='needs packages_distributions')
def test_every_imported_package_is_required():
    """An import that works because something else happens to pull the package breaks one day."""
    from importlib.metadata import packages_distributions

    imported = set()
    for path in [*(ROOT / 'mmact_ssl').rglob('*.py'), *(ROOT / 'tools').glob('*.py')]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                imported.add(node.module.split('.')[0])
    imported -= {'mmact_ssl', 'tools', *sys.stdlib_module_names}
    required = {canonicalize_name(item.name) for name in FILES for item in read(name)}
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


def test_the_installed_metadata_is_that_of_the_files():
    declared = {Requirement(line).name for line in distribution('mmact_ssl').requires or []}
    expected = {item.name for name in FILES for item in read(name)}
    assert declared == expected


def test_only_the_ci_looks_beside_the_checkout():
    """The project does not depend on folders outside it; .ci/run may point tests at real data."""
    outside = '../' + 'shared'
    result = subprocess.run(
        ['git', 'grep', '-l', outside], cwd=ROOT, capture_output=True, text=True
    )
    if result.returncode > 1:
        pytest.skip('not a git checkout')
    assert set(result.stdout.split()) <= {'.ci/run'}
