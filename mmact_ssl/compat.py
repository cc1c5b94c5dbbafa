"""Fixes for upstream packages, all in one place. Empty is the goal.

Each fix is a function that first checks for the breakage, and returns True if it acted.
In an OpenMMLab environment with a CUDA build of torch and a compiled mmcv only
:func:`fix_missing_drn`, :func:`fix_checkpoint_loading`, :func:`fix_initializer_scopes`,
:func:`fix_synchronized_normalization`, :func:`fix_video_lists` and, with numpy 2,
:func:`fix_color_jitter` act.
tests/test_compat.py fails once a fix is no longer needed.
"""

from __future__ import annotations

import importlib.util
import pkgutil
import re
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torch.utils.checkpoint
from packaging.version import Version

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

# Holds the schemas that fix_torchvision_operators declared: they vanish with the object.
_libraries: list[torch.library.Library] = []


def apply_fixes() -> list[str]:
    """Apply every fix that this environment needs, and return the names of those that acted."""
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
        fix_checkpoint_loading,
        fix_initializer_scopes,
        fix_synchronized_normalization,
    ]
    acted = [fix.__name__ for fix in fixes if fix()]
    applied.extend(acted)
    return acted


def silence_upstream() -> None:
    """Hide :data:`UPSTREAM_WARNINGS`, and mmengine's log lines about its own ``FileClient``."""
    for module, message in UPSTREAM_WARNINGS.items():
        warnings.filterwarnings('ignore', re.escape(message), module=re.escape(module) + '$')
    from mmengine.fileio import file_client

    # This module logs only that mmengine's own hooks should not use it.
    file_client.print_log = _ignore


def fix_torchvision_operators() -> bool:
    """Declare ``torchvision::nms`` and ``qnms`` where torchvision's own library cannot load.

    torchvision's wheel is linked to CUDA. Beside a CPU build of torch its library does not load,
    and ``import torchvision`` fails with "operator torchvision::nms does not exist". With the
    schemas declared, models and transforms work; nms raises when it is called.
    """
    if 'torchvision' in sys.modules or _libraries:
        return False
    if torch.version.cuda is not None or not _torchvision_needs_cuda():
        return False
    library = torch.library.Library('torchvision', 'DEF')
    library.define('nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
    library.define('qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
    _libraries.append(library)
    return True


def fix_missing_drn() -> bool:
    """Stand in for ``mmaction.models.localizers.drn``, which mmaction2 1.2.0 forgot to package.

    Without it ``import mmaction.models`` fails (open-mmlab/mmaction2#2714). DRN itself stays
    unusable: building it raises.
    """
    package = 'mmaction.models.localizers.drn'
    root = _package_root('mmaction')
    if root is None or package in sys.modules or (root / 'models/localizers/drn').is_dir():
        return False

    class DRN:
        """Placeholder of a model that the installed mmaction2 does not contain."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            raise NotImplementedError(
                'DRN is missing from the mmaction2 wheel (open-mmlab/mmaction2#2714): '
                'install mmaction2 from its repository to use it'
            )

    _stub_module(package, is_package=True)
    _stub_module(f'{package}.drn', DRN=DRN)
    return True


def fix_missing_mmcv_operators() -> bool:
    """Stand in for ``mmcv._ext``, the compiled operators that mmcv-lite does not have.

    ``mmseg.models`` and parts of mmdet import operators that most of their models never call.
    Calling one raises NotImplementedError with the operator's name.
    """
    root = _package_root('mmcv')
    if root is None or 'mmcv._ext' in sys.modules or any(root.glob('_ext*')):
        return False

    def missing_operator(name: str) -> Callable[..., None]:
        # The import system and inspection ask for dunder names, mmcv does not.
        if name.startswith('__'):
            raise AttributeError(name)

        def raise_missing(*args: Any, **kwargs: Any) -> None:
            raise NotImplementedError(
                f'mmcv operator {name} needs a compiled mmcv, mmcv-lite is installed: '
                'pip uninstall mmcv-lite, then install the build of mmcv for your torch and CUDA'
            )

        return raise_missing

    _stub_module('mmcv._ext', __getattr__=missing_operator)
    return True


def fix_missing_xtcocotools() -> bool:
    """Give mmpose pycocotools under the name of xtcocotools where the latter is not installed.

    xtcocotools has no wheels, and its build fails on Python 3.12 and later. mmpose's data sets
    import names from it that pycocotools has too; its inference calls none of them.
    """
    if 'xtcocotools' in sys.modules or importlib.util.find_spec('xtcocotools') is not None:
        return False

    def read_from(module: str) -> Callable[[str], Any]:
        # The import system and inspection ask for dunder names, mmpose does not.
        def read(name: str) -> Any:
            if name.startswith('__'):
                raise AttributeError(name)
            return getattr(importlib.import_module(f'pycocotools.{module}'), name)

        return read

    _stub_module('xtcocotools', is_package=True)
    for module in ('coco', 'cocoeval', 'mask'):
        _stub_module(f'xtcocotools.{module}', __getattr__=read_from(module))
    return True


def fix_missing_pkg_resources() -> bool:
    """Make mmengine find packages without ``pkg_resources``, which setuptools 82 has dropped."""
    if importlib.util.find_spec('pkg_resources') is not None:
        return False
    from mmengine import utils
    from mmengine.config import config
    from mmengine.config.utils import MODULE2PACKAGE
    from mmengine.hub import hub
    from mmengine.utils import package_utils

    if package_utils.is_installed.__module__ == __name__:
        return False
    modules = {package: module for module, package in MODULE2PACKAGE.items()}

    def is_installed(package: str) -> bool:
        return importlib.util.find_spec(modules.get(package, package)) is not None

    def get_installed_path(package: str) -> str:
        root = _package_root(modules.get(package, package))
        if root is None:
            raise ModuleNotFoundError(f'{package} is not installed')
        return str(root)

    for module in (package_utils, utils, config, hub):
        for function in (is_installed, get_installed_path):
            setattr(module, function.__name__, function)
    return True


def fix_missing_find_loader() -> bool:
    """Give mmengine ``pkgutil.find_loader``, which Python 3.14 has dropped."""
    if hasattr(pkgutil, 'find_loader'):
        return False
    # Upstream only compares the answer with None.
    pkgutil.find_loader = importlib.util.find_spec  # type: ignore[assignment]
    return True


def fix_multimodal_models() -> bool:
    """Leave out the multimodal models of mmaction2 and mmpretrain beside a newer transformers.

    With transformers 4.52 or later ``mmaction.models`` and ``mmpretrain.models`` do not import,
    and mmpose imports the latter. Their other models need no transformers.
    """
    try:
        transformers = Version(version('transformers'))
    except PackageNotFoundError:
        return False
    if transformers < Version('4.52'):
        return False
    acted = False
    for package in ('mmaction', 'mmpretrain'):
        # An absent or broken package raises its error where it is used.
        with suppress(ImportError):
            dependency: Any = importlib.import_module(f'{package}.utils.dependency')
            acted |= dependency.WITH_MULTIMODAL
            dependency.WITH_MULTIMODAL = False
    return acted


def fix_cuda_set_device() -> bool:
    """Make ``torch.cuda.set_device`` do nothing on a machine without a CUDA device.

    mmengine's launcher calls it for every backend, which breaks a gloo launch on a CPU.
    """
    # device_count asks NVML and, unlike is_available, never initializes CUDA before a fork.
    if torch.cuda.device_count() > 0 or torch.cuda.set_device is _ignore:
        return False
    torch.cuda.set_device = _ignore
    return True


def fix_checkpoint_loading() -> bool:
    """Make mmengine load checkpoints as data, see :mod:`mmact_ssl.weights`.

    This includes mmengine's own resume files, whose HistoryBuffer torch refuses.
    """
    from mmact_ssl.weights import register_safe_loaders

    return register_safe_loaders()


def fix_initializer_scopes() -> bool:
    """Read the ``init_cfg`` of a module in the scope of its own OpenMMLab package.

    mmengine reads it in the scope of the config, which lacks ``ConvBranch`` of mmaction2's AAGCN.
    mmaction2's own scope has it only after ``mmaction.engine`` is imported.
    """
    from mmengine.config.utils import MODULE2PACKAGE
    from mmengine.model import base_module
    from mmengine.registry import DefaultScope

    initialize = base_module.initialize
    if initialize.__module__ == __name__:
        return False
    openmmlab = frozenset(MODULE2PACKAGE)  # before this package is added

    def initialize_in_own_scope(module: torch.nn.Module, init_cfg: Any) -> None:
        packages = [kind.__module__.partition('.')[0] for kind in type(module).__mro__]
        scope = next((name for name in packages if name in openmmlab), None)
        if scope == 'mmaction' and init_cfg:
            importlib.import_module('mmaction.engine')
        with DefaultScope.overwrite_default_scope(scope):
            initialize(module, init_cfg)

    base_module.initialize = initialize_in_own_scope
    return True


def fix_synchronized_normalization() -> bool:
    """Make ``sync_bn='torch'`` keep the activations inside timm's batch normalization.

    mmengine and torch replace it by a plain layer, which makes an EfficientNet linear.
    """
    from mmengine.runner import runner

    convert = runner.convert_sync_batchnorm
    if convert.__module__ == __name__:
        return False

    def convert_with_activations(module: torch.nn.Module, kind: str = 'torch') -> torch.nn.Module:
        if kind != 'torch' or 'timm' not in sys.modules:
            return convert(module, kind)
        from timm.layers import convert_sync_batchnorm

        return convert_sync_batchnorm(module)

    runner.convert_sync_batchnorm = convert_with_activations
    return True


def fix_video_lists() -> bool:
    """Make mmaction2's VideoDataset read lists as this package does.

    mmaction2 reads a byte order mark as a part of the first name, and fails on blank lines, tabs
    and names with blanks. Call it before a data set is built: importing mmaction2 takes seconds.
    """
    from mmaction.datasets import VideoDataset

    from mmact_ssl.files import read_annotation, video_path

    read = VideoDataset.load_data_list
    if read.__module__ == __name__:
        return False

    def load_data_list(self: VideoDataset) -> list[dict]:
        if self.multi_class or self.delimiter != ' ' or '://' in self.ann_file:
            return read(self)
        folder = self.data_prefix.get('video') or ''
        labeled = zip(*read_annotation(self.ann_file, 'correct ann_file'))
        return [dict(filename=video_path(folder, name), label=label) for name, label in labeled]

    VideoDataset.load_data_list = load_data_list
    return True


def fix_color_jitter() -> bool:
    """Make mmaction2's ColorJitter shift hues below zero with numpy 2.

    It adds a negative number to unsigned bytes, which numpy 2 refuses. Call it after the transforms
    are built: importing them takes seconds.
    """
    processing = sys.modules.get('mmaction.datasets.transforms.processing')
    if processing is None or Version(np.__version__) < Version('2'):
        return False
    if processing.ColorJitter.adjust_hue is adjust_hue:
        return False
    processing.ColorJitter.adjust_hue = staticmethod(adjust_hue)
    return True


def adjust_hue(img: np.ndarray, factor: float) -> np.ndarray:
    """Shift the hue of an image (H, W, 3), values 0 to 255, by ``factor`` x 510 degrees."""
    import cv2

    hsv = cv2.cvtColor(np.clip(img, 0, 255).astype(np.uint8), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + int(factor * 255)) % 180  # in steps of 2 degrees
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)


def _ignore(*args: Any, **kwargs: Any) -> None:
    """Do nothing."""


def _package_root(name: str) -> Path | None:
    """Find the folder of a top-level package without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent


def _torchvision_needs_cuda() -> bool:
    """True if the library of torchvision's operators is linked to CUDA."""
    root = _package_root('torchvision')
    libraries = sorted(root.glob('_C*.so')) if root is not None else []
    return any(b'libtorch_cuda.so' in library.read_bytes() for library in libraries)


def _stub_module(name: str, is_package: bool = False, **attributes: Any) -> None:
    module = ModuleType(name)
    # pkgutil.find_loader and importlib.util.find_spec refuse a module without a spec.
    module.__spec__ = ModuleSpec(name, loader=None, is_package=is_package)
    if is_package:
        module.__path__ = []
    vars(module).update(attributes)
    sys.modules[name] = module
