"""Fixes for other packages, in one folder that also loads by itself. Empty is the goal.

Each fix is a function that first checks for the breakage, and returns True if it acted.
tests/test_upstream/test_fixes.py fails once a fix is no longer needed.

| fix | makes it unnecessary |
|---|---|
| fix_torchvision_operators | a CPU build of torchvision beside the CPU build of torch |
| fix_cuda_set_device | none yet; mmengine 0.10.7 needs it |
| fix_missing_drn | mmaction2 after 1.2.0, which packages it |
| fix_missing_mmcv_operators | a compiled mmcv |
| fix_missing_xtcocotools | an xtcocotools with wheels, or mmpose after 1.3.2 without it |
| fix_multimodal_models | mmaction2 after 1.2.0 and mmpretrain after 1.2.0, if they support it |
| fix_missing_pkg_resources | mmengine after 0.10.7, or setuptools before 82 |
| fix_missing_find_loader | mmengine after 0.10.7, or Python before 3.14 |
| fix_checkpoint_loading | none yet; mmengine 0.10.7 unpickles files or refuses its own |
| fix_config_names | none yet; mmengine 0.10.7 knows a fixed list of packages |
| fix_synchronized_normalization | none yet; mmengine 0.10.7 drops activations of timm |
| fix_video_lists | none yet; mmaction2 1.2.0 needs it |
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable

from .missing_modules import (
    fix_missing_drn,
    fix_missing_mmcv_operators,
    fix_missing_xtcocotools,
    fix_multimodal_models,
)
from .mmengine_fixes import (
    fix_missing_find_loader,
    fix_missing_pkg_resources,
    fix_synchronized_normalization,
)
from .packages import ignore
from .torch_fixes import fix_cuda_set_device, fix_torchvision_operators

# Module -> start of its warning, which users cannot act on.
UPSTREAM_WARNINGS = {
    'mmcv.cnn.bricks.transformer': '``MultiScaleDeformableAttention`` has been moved',
    'mmengine.utils.package_utils': 'pkg_resources is deprecated',
    'mmpose.datasets.datasets.utils': 'The metainfo config file',
    'mmseg.models.builder': '``build_loss`` would be deprecated',
    'mmseg.models.losses.cross_entropy_loss': 'Default ``avg_non_ignore`` is False',
    'timm.models.layers': 'Importing from timm.models.layers is deprecated',
}

# Fixes that acted in this process.
applied: list[str] = []


def apply_fixes() -> list[str]:
    """Apply the fixes that this environment needs, and return the names of those that acted.

    :data:`UPSTREAM_WARNINGS`, and mmengine's log lines about its own ``FileClient``, are hidden.
    """
    # torchvision first: importing mmcv, mmaction2 or timm imports it.
    fixes: list[Callable[[], bool]] = [
        fix_torchvision_operators,
        fix_missing_drn,
        fix_missing_mmcv_operators,
        fix_missing_xtcocotools,
        fix_missing_pkg_resources,
        fix_missing_find_loader,
        fix_multimodal_models,
        fix_cuda_set_device,
        fix_synchronized_normalization,
    ]
    acted = [fix.__name__ for fix in fixes if fix()]
    applied.extend(acted)
    for module, message in UPSTREAM_WARNINGS.items():
        warnings.filterwarnings('ignore', re.escape(message), module=re.escape(module) + '$')
    from mmengine.fileio import file_client

    # This module logs only that mmengine's own hooks should not use it.
    file_client.print_log = ignore
    return acted
