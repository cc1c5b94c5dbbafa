"""Students, pretext heads, teachers; importing this registers them all."""

from . import balancers, data_preprocessors, heads, losses, necks, pretrainers, teachers

__all__ = [
    'balancers',
    'data_preprocessors',
    'heads',
    'losses',
    'necks',
    'pretrainers',
    'teachers',
]
