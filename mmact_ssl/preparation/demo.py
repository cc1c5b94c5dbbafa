"""Synthetic demo world, written by :mod:`mmact_ssl.preparation.demo_world`."""

from __future__ import annotations

from mmact_ssl.preparation.demo_world.write import CLIPS_PER_CLASS
from mmact_ssl.preparation.demo_world.write import write_demo_world as prepare

__all__ = ['OPTIONS', 'SETS', 'prepare']

SETS = {'demo': 'generate the synthetic demo world'}
OPTIONS = {
    'size': dict(choices=tuple(CLIPS_PER_CLASS)),
    'workers': dict(type=int, help='processes'),
}
