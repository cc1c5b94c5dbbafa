"""The synthetic demo world, written by :mod:`mmact_ssl.demo_world`."""

from __future__ import annotations

import argparse

from mmact_ssl.demo_world.write import CLIPS_PER_CLASS
from mmact_ssl.demo_world.write import write_demo_world as prepare

__all__ = ['SETS', 'add_arguments', 'prepare']

SETS = {'demo': 'generate the synthetic demo world'}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this set alone."""
    parser.add_argument('--size', choices=tuple(CLIPS_PER_CLASS), default='default')
    parser.add_argument('--workers', type=int, default=2, help='processes')
