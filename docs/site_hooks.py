"""Hooks of MkDocs: pages of the sources that links lead to."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.structure.files import File, InclusionLevel

ROOT = Path(__file__).resolve().parents[1]
SOURCE = re.compile(r'\]\(\.\./\.\./(mmact_ssl/[\w/]+\.py)\)')


def on_files(files, config):
    """Add a page for each source file that a page of a shelf, a folder in docs/, links to."""
    named = set()
    for file in files.documentation_pages():
        if file.src_uri.count('/') == 1:
            named |= set(SOURCE.findall(file.content_string))
    for name in sorted(named):
        code = (ROOT / name).read_text(encoding='utf-8')
        page = f'---\nsearch: {{exclude: true}}\n---\n# {name}\n\n~~~~python\n{code}~~~~\n'
        source = File.generated(config, f'source/{name}.md', content=page)
        source.inclusion = InclusionLevel.NOT_IN_NAV
        files.append(source)
    return files


def on_page_markdown(markdown, page, **_):
    """Lead links to source files to their pages."""
    return SOURCE.sub(r'](../source/\1.md)', markdown)


def on_page_content(html, **_):
    """Read the roles of docstrings, :class:`Name`, as the names that they mark."""
    return re.sub(r':(?:class|func|meth|mod|attr):(?=<code>)', '', html)
