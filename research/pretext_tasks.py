#!/usr/bin/env python
"""Test the pretext tasks as tools/test.py does, and write a result.

python research/pretext_tasks.py CONFIG CHECKPOINT --method CSVR --out research/results
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import mmact_ssl  # noqa: F401  # isort: skip  (the fixes come before mmengine)
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.runner import Runner

from mmact_ssl.configs.shipped_configs import CONFIGS
from mmact_ssl.errors import ConfigError, one_line_errors
from mmact_ssl.evaluation.pretext_metric import KNOWN_FRACTION
from mmact_ssl.evaluation.results import Result, config_hash
from mmact_ssl.io.files import sha256_of_file
from research.steps import PRETEXT
from tools import test


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
    data = hashlib.sha256()
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        data.update(Path(loader.dataset.ann_file).read_bytes())
        skeletons = (loader.dataset.get('data_prefix') or {}).get('skeleton')
        if skeletons is not None:  # holds the hash of the coordinates
            data.update((Path(skeletons) / 'meta.json').read_bytes())
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
    )


def config_name(path: str | os.PathLike[str]) -> str:
    """Name a config by its path: ``configs/...`` for the package's, else from the current folder.

    A path elsewhere stays as it is.
    """
    place = Path(path).resolve()
    roots = (root for root in (CONFIGS.resolve().parent, Path.cwd()) if root in place.parents)
    return next((place.relative_to(root).as_posix() for root in roots), os.fspath(path))


def main(
    argv: list[str] | None = None,
    more_metrics: Callable[[Runner, str], dict[str, float]] | None = None,
) -> None:
    """Test, and write the result with ``more_metrics`` of the runner and checkpoint, if any."""
    parser = test.make_parser()
    parser.add_argument('--out', required=True, help='folder of the results')
    parser.add_argument('--method', required=True, help='row of the tables')
    parser.add_argument('--variant', default='full', help='e.g. no-pose')
    parser.add_argument('--seed', type=int, default=0, help='of the pre-training')
    args = parser.parse_args(argv)
    with one_line_errors():
        runner, path, metrics = test.test(args)
        # Compute all metrics before writing: a study would take half a result for a whole one.
        if more_metrics:
            metrics |= more_metrics(runner, path)
        if is_main_process():
            names = (args.method, args.variant, args.seed)
            result = make_pretext_result(runner.cfg, metrics, path, *names)
            print(f'wrote {result.write(args.out)}')


if __name__ == '__main__':
    main()
