"""Child registries of mmengine's roots under the scope ``mmact_ssl``.

A registry imports the modules in its ``locations`` when it is first used, so that neither
``import mmact_ssl`` nor a config has to import every model. A config sets
``default_scope = 'mmact_ssl'`` and writes the pieces of other OpenMMLab packages with their scope,
e.g. ``mmaction.ResNet3d``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from typing import Any

from mmengine import registry as mmengine
from mmengine.registry import Registry

SCOPE = 'mmact_ssl'


def import_submodules(name: str, path: Iterable[str]) -> None:
    """Import every module of a package, by its ``__name__`` and ``__path__``, to register it."""
    for module in pkgutil.walk_packages(path, f'{name}.'):
        importlib.import_module(module.name)


def _child(root: Registry, *locations: str) -> Registry:
    return Registry(root.name, parent=root, scope=SCOPE, locations=list(locations))


DATASETS = _child(mmengine.DATASETS, 'mmact_ssl.datasets')
DATA_SAMPLERS = _child(mmengine.DATA_SAMPLERS, 'mmact_ssl.datasets')
TRANSFORMS = _child(mmengine.TRANSFORMS, 'mmact_ssl.datasets.transforms', 'mmact_ssl.targets')
MODELS = _child(mmengine.MODELS, 'mmact_ssl.models')
HOOKS = _child(
    mmengine.HOOKS, 'mmact_ssl.engine.hooks', 'mmact_ssl.targets', 'mmact_ssl.evaluation'
)
OPTIM_WRAPPERS = _child(mmengine.OPTIM_WRAPPERS, 'mmact_ssl.engine.optimizers')
OPTIM_WRAPPER_CONSTRUCTORS = _child(
    mmengine.OPTIM_WRAPPER_CONSTRUCTORS, 'mmact_ssl.engine.optimizers'
)
METRICS = _child(mmengine.METRICS, 'mmact_ssl.evaluation')
LOOPS = _child(mmengine.LOOPS, 'mmact_ssl.engine.loops')
LOG_PROCESSORS = _child(mmengine.LOG_PROCESSORS, 'mmact_ssl.engine.terminal')

# This package adds nothing to these. Without them, or without a location, mmengine warns each time
# that it falls back to its own registry, as a config of this scope intends.
OPTIMIZERS = _child(mmengine.OPTIMIZERS, __name__)
PARAM_SCHEDULERS = _child(mmengine.PARAM_SCHEDULERS, __name__)
VISBACKENDS = _child(mmengine.VISBACKENDS, __name__)
VISUALIZERS = _child(mmengine.VISUALIZERS, __name__)
WEIGHT_INITIALIZERS = _child(mmengine.WEIGHT_INITIALIZERS, __name__)


def build_named(configs: Mapping[str, dict | None] | None) -> dict[str, Any]:
    """Build models by name; None switches an inherited entry off."""
    chosen = {name: config for name, config in (configs or {}).items() if config is not None}
    return {name: MODELS.build(config) for name, config in chosen.items()}
