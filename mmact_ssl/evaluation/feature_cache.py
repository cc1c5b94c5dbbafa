"""The name that frozen features are kept under: a hash of all that they depend on."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from torch import nn

from mmact_ssl.evaluation.data import Split
from mmact_ssl.evaluation.student import weights_hash
from mmact_ssl.reporting.provenance import package_versions

PACKAGE = Path(__file__).parents[1]
EXTRACTION_PACKAGES = (
    *('mmaction2', 'mmengine', 'mmcv', 'mmcv-lite', 'torch', 'numpy', 'timm', 'av'),
    *('opencv-python', 'opencv-python-headless'),
)


def code_version(root: Path = PACKAGE) -> str:
    """Hash the code that makes features: this package's files and the versions of others.

    All of this package's: a needless extraction takes minutes, a wrong number stays.
    """
    digest = hashlib.sha256(json.dumps(package_versions(EXTRACTION_PACKAGES)).encode())
    # Configs, which an installed package holds in .mim, go into the key by themselves.
    for file in sorted(file for file in root.rglob('*.py') if '.mim' not in file.parts):
        digest.update(f'{file.relative_to(root).as_posix()}\n'.encode() + file.read_bytes())
    return digest.hexdigest()


# Of the files as they were imported: a file edited while the program runs does not count.
CODE_VERSION = code_version()


def imported_code(modules: Sequence[str]) -> str:
    """Hash the modules that a config's ``custom_imports`` names, packages with all their files.

    Those of this package are left out, see :func:`code_version`.
    """
    digest = hashlib.sha256()
    for module in modules:
        origin = getattr(sys.modules.get(module), '__file__', None)
        # None: a failed import that is allowed to fail, or compiled in.
        if origin is None or module.split('.')[0] == PACKAGE.name:
            continue
        file = Path(origin)
        for part in sorted(file.parent.rglob('*.py')) if file.name == '__init__.py' else [file]:
            digest.update(f'{module} {part.name}\n'.encode() + part.read_bytes())
    return digest.hexdigest()


def cache_key(cfg: Config, backbone: nn.Module, loader: dict, split: Split) -> str:
    """Hash all that the features of a split depend on: weights, code, configs, annotation, content.

    ``loader`` is the config of the dataloader that reads the split.
    """
    digest = hashlib.sha256(f'{weights_hash(backbone)} {CODE_VERSION}'.encode())
    imports = (cfg.get('custom_imports') or {}).get('imports') or ()
    digest.update(imported_code([imports] if isinstance(imports, str) else imports).encode())
    parts = [cfg.model.backbone, cfg.model.get('data_preprocessor'), loader['dataset']]
    parts += [cfg.get('feature_pooling'), cfg.get('feature_deviation')]
    digest.update(json.dumps(parts, sort_keys=True, default=str).encode())
    digest.update(split.fingerprint().encode())
    return digest.hexdigest()[:32]
