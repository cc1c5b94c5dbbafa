"""Transforms of the pre-training pipelines; importing this registers them all."""

from mmact_ssl.registry import import_submodules

import_submodules(__name__, __path__)
