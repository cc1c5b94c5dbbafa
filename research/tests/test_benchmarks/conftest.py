"""The program research/benchmark.py."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).parents[3] / 'research/benchmark.py'


@pytest.fixture(scope='session')
def tool() -> ModuleType:
    """The program; it puts research/benchmarks on the path."""
    spec = importlib.util.spec_from_file_location('benchmark_tool', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
