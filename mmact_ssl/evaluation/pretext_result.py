"""Results of pretext tasks on held-out clips, for ``tools/test.py``."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mmengine.config import Config

from mmact_ssl.datasets.skeleton_folder import open_skeleton_folder
from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.pretext_metric import KNOWN_FRACTION
from mmact_ssl.evaluation.provenance import (
    config_hash,
    config_name,
    package_versions,
    portable_path,
)
from mmact_ssl.evaluation.results import PRETEXT, Result
from mmact_ssl.files import sha256_of_file
from mmact_ssl.targets.inspection import cache_version
from mmact_ssl.targets.load_targets import caches_read_by


def make_pretext_result(
    cfg: Config, metrics: dict[str, float], checkpoint: str, method: str, variant: str, seed: int
) -> Result:
    """Make a result of the metrics of ``PretextMetric``.

    Args:
        cfg: Pre-training config with ``dataset_name``, ``backbone_name`` and ``test_dataloader``.
        metrics: ``'<task>/<name>'`` -> value. ``'<task>/<name>_known_fraction'`` is not a metric of
            the result: ``known_fraction`` in its details has it by ``'<task>/<name>'``.
        method, variant, seed: As in :class:`Result`, of the pre-training.
    """
    for key in ('dataset_name', 'backbone_name'):
        if key not in cfg:
            raise ConfigError(f'{cfg.filename}: has no {key}, which a result needs; add it')
    loaders = [cfg.train_dataloader, cfg.test_dataloader]
    data, caches = hashlib.sha256(), {}
    for loader in loaders:
        data.update(Path(loader.dataset.ann_file).read_bytes())
        skeletons = (loader.dataset.get('data_prefix') or {}).get('skeleton')
        if skeletons is not None:  # holds the hash of the coordinates
            data.update((Path(skeletons) / 'meta.json').read_bytes())
            # Not part of the data version, which stays comparable with earlier results.
            folder = open_skeleton_folder(
                skeletons, cfg.get('prepare_command', 'see docs/extend/data.md')
            )
            caches[portable_path(skeletons)] = folder.content_hash
    for path in sorted({path for _, path in caches_read_by(loaders)}):
        caches[portable_path(path)] = cache_version(path)
    fractions = {
        name.removesuffix(KNOWN_FRACTION): value
        for name, value in metrics.items()
        if name.endswith(KNOWN_FRACTION)
    }
    settings = {key: cfg.get(key) for key in ('model', 'test_dataloader', 'test_evaluator')}
    return Result(
        method=method,
        variant=variant,
        dataset=cfg.dataset_name,
        protocol=PRETEXT,
        backbone=cfg.backbone_name,
        seed=seed,
        metrics={k: value for k, value in metrics.items() if not k.endswith(KNOWN_FRACTION)},
        label_fraction=1.0,
        config=config_name(cfg.filename),
        config_hash=config_hash(settings),
        checkpoint_hash=sha256_of_file(checkpoint),
        data_version=data.hexdigest(),
        synthetic=cfg.get('synthetic', False),
        details={'known_fraction': fractions} if fractions else {},
        versions=package_versions(),
        caches=caches,
    )
