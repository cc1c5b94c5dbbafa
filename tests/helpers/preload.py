"""What the processes of tests/helpers/processes.py have imported when they start."""

import gc

import mmact_ssl.evaluation.evaluate  # noqa: F401
from mmact_ssl.registry import DATASETS, HOOKS, MODELS, TRANSFORMS
from tests.helpers.upstream import spare_upstream

MODELS.get('mmaction.ResNet3d')
for registry in (DATASETS, HOOKS, MODELS, TRANSFORMS):
    registry.import_from_location()
spare_upstream()
gc.collect()
gc.freeze()
