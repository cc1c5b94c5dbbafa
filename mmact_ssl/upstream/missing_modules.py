"""Stand-ins for modules that packages of OpenMMLab import and that are not installed."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from packaging.version import Version

from .packages import package_root, stub_module, version_of


def fix_missing_drn() -> bool:
    """Stand in for ``mmaction.models.localizers.drn``, which mmaction2 1.2.0 forgot to package.

    Without it ``import mmaction.models`` fails (open-mmlab/mmaction2#2714). DRN itself stays
    unusable: building it raises.
    """
    package = 'mmaction.models.localizers.drn'
    root = package_root('mmaction')
    if root is None or package in sys.modules or (root / 'models/localizers/drn').is_dir():
        return False

    class DRN:
        """Placeholder of a model that the installed mmaction2 does not contain."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            raise NotImplementedError(
                'DRN is missing from the mmaction2 wheel (open-mmlab/mmaction2#2714): '
                'install mmaction2 from its repository to use it'
            )

    stub_module(package, is_package=True)
    stub_module(f'{package}.drn', DRN=DRN)
    return True


def fix_missing_mmcv_operators() -> bool:
    """Stand in for ``mmcv._ext``, the compiled operators that mmcv-lite does not have.

    ``mmseg.models`` and parts of mmdet import operators that most of their models never call.
    Calling one raises NotImplementedError with the operator's name.
    """
    root = package_root('mmcv')
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

    stub_module('mmcv._ext', __getattr__=missing_operator)
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

    stub_module('xtcocotools', is_package=True)
    for module in ('coco', 'cocoeval', 'mask'):
        stub_module(f'xtcocotools.{module}', __getattr__=read_from(module))
    return True


def fix_multimodal_models() -> bool:
    """Leave out the multimodal models of mmaction2 and mmpretrain beside a newer transformers.

    With transformers 4.52 or later ``mmaction.models`` and ``mmpretrain.models`` do not import,
    and mmpose imports the latter. Their other models need no transformers.
    """
    transformers = version_of('transformers')
    if not transformers or Version(transformers) < Version('4.52'):
        return False
    acted = False
    for package in ('mmaction', 'mmpretrain'):
        # An absent or broken package raises its error where it is used.
        with suppress(ImportError):
            dependency: Any = importlib.import_module(f'{package}.utils.dependency')
            acted |= dependency.WITH_MULTIMODAL
            dependency.WITH_MULTIMODAL = False
    return acted
