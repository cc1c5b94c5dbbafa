"""Students, pretext heads, teachers; importing this registers them all."""

from . import backbones, balancers, data_preprocessors, heads, losses, necks, pretrainers, teachers

__all__ = [
    'backbones',
    'balancers',
    'data_preprocessors',
    'heads',
    'losses',
    'necks',
    'pretrainers',
    'teachers',
]
