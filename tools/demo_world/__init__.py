"""A procedural world of acting people: synthetic video with exact truth, for demos and tests.

tools/prepare_data.py calls ``prepare`` with ``OPTIONS``, see mmact_ssl/preparation/__init__.py.
"""

from __future__ import annotations

from .write import CLIPS_PER_CLASS
from .write import write_demo_world as prepare

__all__ = ['OPTIONS', 'prepare']

OPTIONS = {
    'size': dict(choices=tuple(CLIPS_PER_CLASS)),
    'workers': dict(type=int, help='processes'),
}
