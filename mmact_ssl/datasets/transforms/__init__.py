# SPDX-License-Identifier: Apache-2.0
"""Transforms of the pre-training pipelines."""

from .formatting import PackPretextInputs
from .geometry import HorizontalFlip
from .targets import LoadTargetCache
from .views import DecodeViews, SampleViews, TransformViews

__all__ = [
    'DecodeViews',
    'HorizontalFlip',
    'LoadTargetCache',
    'PackPretextInputs',
    'SampleViews',
    'TransformViews',
]
