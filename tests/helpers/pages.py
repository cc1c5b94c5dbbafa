"""Blocks of code in the pages."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def blocks(page: str | Path, kind: str = 'python', about: str = '') -> list[str]:
    """Blocks of a page of the repository that contain a text."""
    text = (ROOT / page).read_text(encoding='utf-8')
    found = re.findall(rf'^```{kind}\n(.*?)^```', text, re.DOTALL | re.MULTILINE)
    return [block for block in found if about in block]
