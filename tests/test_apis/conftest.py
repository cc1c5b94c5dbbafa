"""A small published model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def published(publish: Any, student_checkpoint: Path, tmp_path: Path) -> Path:
    return publish(student_checkpoint, tmp_path, 'small')
