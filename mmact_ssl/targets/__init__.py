"""Targets of frozen teachers: cache, extraction, importers, and the transform that loads them."""

from mmact_ssl.targets.load_targets import LoadTargets
from mmact_ssl.targets.target_cache_hook import TargetCacheHook

__all__ = ['LoadTargets', 'TargetCacheHook']
