"""Cache keys of frozen features: a hash of everything that the features depend on."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from torch import nn

from mmact_ssl.evaluation.data import Split
from mmact_ssl.evaluation.provenance import package_versions
from mmact_ssl.evaluation.student import weights_hash

EXTRACTION_PACKAGES = (
    *('mmaction2', 'mmengine', 'mmcv', 'mmcv-lite', 'torch', 'numpy', 'timm', 'av'),
    *('opencv-python', 'opencv-python-headless'),
)


def source_hash(modules: Sequence[str]) -> str:
    """Hash the source of imported modules, and all files of packages.

    A needless extraction takes minutes; a wrong number stays in the results.
    """
    digest = hashlib.sha256()
    for module in modules:
        origin = getattr(sys.modules.get(module), '__file__', None)
        if origin is None:  # compiled in, or an import that was allowed to fail
            continue
        file = Path(origin)
        files = sorted(file.parent.rglob('*.py')) if file.name == '__init__.py' else [file]
        # Without configs, which an installed package holds in .mim: the key includes what is used.
        for part in (part for part in files if '.mim' not in part.parts):
            name = part.relative_to(file.parent).as_posix()
            digest.update(f'{module} {name}\n'.encode() + part.read_bytes())
    return digest.hexdigest()


def cache_key(cfg: Config, backbone: nn.Module, loader: dict, split: Split) -> str:
    """Hash the weights, code, configs, annotation and content that the features depend on.

    ``loader`` is the config of the dataloader that reads the split.
    """
    imports = (cfg.get('custom_imports') or {}).get('imports') or ()
    modules = ['mmact_ssl', *([imports] if isinstance(imports, str) else imports)]
    parts = [cfg.model.backbone, cfg.model.get('data_preprocessor'), loader['dataset']]
    parts += [cfg.get('feature_pooling'), cfg.get('feature_deviation')]
    content = [
        weights_hash(backbone),
        source_hash(modules),
        package_versions(EXTRACTION_PACKAGES),
        parts,
        split.fingerprint(),
    ]
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
