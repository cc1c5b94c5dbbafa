"""The site builds without a warning, documents the parts, and asks no other host for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from mmact_ssl.registry import HOOKS, MODELS, TRANSFORMS

ROOT = Path(__file__).parents[2]
missing = [name for name in ('mkdocs', 'material', 'mkdocstrings') if find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(missing), reason=f'the extra docs lacks {missing}')


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp('site')
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '-d', str(out)]
    environment = {**os.environ, 'NO_MKDOCS_2_WARNING': '1', 'SITE_URL': ''}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def test_the_reference_has_the_parts_with_their_arguments(site: Path):
    for page, registry, folder in (
        ('heads', MODELS, 'mmact_ssl.models.heads.'),
        ('losses', MODELS, 'mmact_ssl.models.losses.'),
        ('transforms', TRANSFORMS, 'mmact_ssl.datasets.transforms.'),
        ('hooks', HOOKS, 'mmact_ssl.engine.hooks.'),
    ):
        registry.import_from_location()
        html = (site / 'extend/api' / f'{page}.html').read_text()
        parts = [p for p in registry.module_dict.values() if p.__module__.startswith(folder)]
        assert len(parts) > 5
        for part in parts:
            assert f'id="{part.__module__}.{part.__name__}"' in html
    assert 'embed(' in re.sub(r'<[^>]+>', '', (site / 'extend/api' / 'apis.html').read_text())
    assert ':class:<code>' not in html


def test_no_page_loads_anything_from_another_host(site: Path):
    for page in site.rglob('*.html'):
        assert not re.findall(r'(?:src|<link[^>]*href)="https?:[^"]*"', page.read_text()), page
