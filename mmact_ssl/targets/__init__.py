"""Targets of frozen teachers: cache, extraction, importers, and the transform that loads them."""

from .load_targets import LoadTargets
from .target_cache_hook import TargetCacheHook

__all__ = ['LoadTargets', 'TargetCacheHook']
