"""The site builds without a warning, documents the parts, and asks no other host for anything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from mmact_ssl.registry import HOOKS, MODELS, TRANSFORMS

ROOT = Path(__file__).parents[2]
missing = [name for name in ('mkdocs', 'material', 'mkdocstrings') if find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(missing), reason=f'the extra docs lacks {missing}')


# Of a site of two pages, whose links to other pages lead nowhere: not to be built with --strict.
TWO_PAGES = """
INHERIT: {root}/mkdocs.yml
docs_dir: docs
theme: {{custom_dir: {root}/docs/site_theme}}
hooks: [{root}/docs/site_hooks.py]
nav: [README.md, start/faq.md]
"""


def build(out: Path, address: str, *options: str) -> Path:
    command = [sys.executable, '-m', 'mkdocs', 'build', '-d', str(out), *options]
    environment = {**os.environ, 'NO_MKDOCS_2_WARNING': '1', 'SITE_URL': address}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp('site'), '', '--strict')


def read_card(page: Path) -> dict[str, str]:
    """Tags of the card that a chat shows for a link to a page."""
    tags = re.findall(
        r'<meta (?:property|name)="((?:og|twitter):\w+)" content="([^"]*)"', page.read_text()
    )
    assert len(dict(tags)) == len(tags)
    return dict(tags)


def test_every_page_is_in_it(site: Path):
    for page in (ROOT / 'docs').rglob('*.md'):
        name = page.relative_to(ROOT / 'docs').with_suffix('.html')
        name = name if page.name != 'README.md' else name.with_name('index.html')
        assert (site / name).is_file()


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


def test_links_to_sources_lead_to_them(site: Path):
    html = (site / 'extend/parts.html').read_text()
    sources = set(re.findall(r'href="\.\./(source/[^"]+)"', html))
    assert len(sources) > 50
    for source in sources:
        name = source.removeprefix('source/').removesuffix('.html')
        first = (ROOT / name).read_text().split('\n')[0].strip('"')
        assert first in re.sub(r'<[^>]+>', '', (site / source).read_text()).replace('&#39;', "'")


def test_no_page_loads_anything_from_another_host(site: Path):
    for page in site.rglob('*.html'):
        assert not re.findall(r'(?:src|<link[^>]*href)="https?:[^"]*"', page.read_text()), page


def test_a_link_has_a_card_where_the_address_of_the_site_is_known(site: Path, tmp_path: Path):
    assert not any(read_card(page) for page in site.rglob('*.html'))
    for name in ('README.md', 'start/faq.md', 'pictures/search.png'):
        (tmp_path / 'docs' / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / 'docs' / name, tmp_path / 'docs' / name)
    (tmp_path / 'mkdocs.yml').write_text(TWO_PAGES.format(root=ROOT))
    address = 'https://host.org/docs'
    out = build(tmp_path / 'site', address, '-q', '-f', str(tmp_path / 'mkdocs.yml'))
    for name, title in (('index.html', 'mmact_ssl'), ('start/faq.html', 'Questions')):
        card = read_card(out / name)
        assert card['og:title'] == card['twitter:title'] == title
        description = 'Self-supervised pre-training for action recognition, on OpenMMLab'
        assert card['og:description'] == card['twitter:description'] == description
        assert card['og:url'] == f'{address}/{name}'
        assert card['twitter:card'] == 'summary_large_image'
        assert card['og:image'] == card['twitter:image']
        assert (out / card['og:image'].removeprefix(f'{address}/')).is_file()
