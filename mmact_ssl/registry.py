"""Child registries of mmengine's roots under the scope ``mmact_ssl``.

A registry imports the modules in its ``locations`` when it is first used, so that neither
``import mmact_ssl`` nor a config has to import every model. A config sets
``default_scope = 'mmact_ssl'`` and writes the pieces of other OpenMMLab packages with their scope,
e.g. ``mmaction.ResNet3d``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOG_PROCESSORS as MMENGINE_LOG_PROCESSORS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import (
    OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
)
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import OPTIMIZERS as MMENGINE_OPTIMIZERS
from mmengine.registry import PARAM_SCHEDULERS as MMENGINE_PARAM_SCHEDULERS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import VISBACKENDS as MMENGINE_VISBACKENDS
from mmengine.registry import VISUALIZERS as MMENGINE_VISUALIZERS
from mmengine.registry import Registry

SCOPE = 'mmact_ssl'


def import_submodules(name: str, path: Iterable[str]) -> None:
    """Import every module of a package and of the packages in it, so that each registers its parts.

    Args:
        name: The package's ``__name__``.
        path: Its ``__path__``.
    """
    for module in pkgutil.walk_packages(path, f'{name}.'):
        importlib.import_module(module.name)


DATASETS = Registry(
    'dataset', parent=MMENGINE_DATASETS, scope=SCOPE, locations=['mmact_ssl.datasets']
)
DATA_SAMPLERS = Registry(
    'data sampler', parent=MMENGINE_DATA_SAMPLERS, scope=SCOPE, locations=['mmact_ssl.datasets']
)
TRANSFORMS = Registry(
    'transform',
    parent=MMENGINE_TRANSFORMS,
    scope=SCOPE,
    locations=['mmact_ssl.datasets.transforms', 'mmact_ssl.targets'],
)
MODELS = Registry('model', parent=MMENGINE_MODELS, scope=SCOPE, locations=['mmact_ssl.models'])
HOOKS = Registry(
    'hook',
    parent=MMENGINE_HOOKS,
    scope=SCOPE,
    locations=['mmact_ssl.engine.hooks', 'mmact_ssl.targets'],
)
LOOPS = Registry('loop', parent=MMENGINE_LOOPS, scope=SCOPE, locations=['mmact_ssl.engine'])
OPTIM_WRAPPERS = Registry(
    'optim_wrapper',
    parent=MMENGINE_OPTIM_WRAPPERS,
    scope=SCOPE,
    locations=['mmact_ssl.engine.optimizers'],
)
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
    scope=SCOPE,
    locations=['mmact_ssl.engine.optimizers'],
)
METRICS = Registry(
    'metric', parent=MMENGINE_METRICS, scope=SCOPE, locations=['mmact_ssl.evaluation']
)
LOG_PROCESSORS = Registry(
    'log_processor',
    parent=MMENGINE_LOG_PROCESSORS,
    scope=SCOPE,
    locations=['mmact_ssl.engine.terminal'],
)

# Nothing of this package is in these. Without them mmengine warns, for each, that it looks in its
# own registry, where a config of this scope means to look anyway; without a location, it warns too.
HERE = [__name__]
OPTIMIZERS = Registry('optimizer', parent=MMENGINE_OPTIMIZERS, scope=SCOPE, locations=HERE)
PARAM_SCHEDULERS = Registry(
    'parameter scheduler', parent=MMENGINE_PARAM_SCHEDULERS, scope=SCOPE, locations=HERE
)
VISBACKENDS = Registry('vis_backend', parent=MMENGINE_VISBACKENDS, scope=SCOPE, locations=HERE)
VISUALIZERS = Registry('visualizer', parent=MMENGINE_VISUALIZERS, scope=SCOPE, locations=HERE)
