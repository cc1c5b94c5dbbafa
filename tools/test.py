#!/usr/bin/env python
"""Test what a config describes: ``python tools/test.py CONFIG CHECKPOINT``.

The options are those of every OpenMMLab project; see ``--help``.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
from mmengine.dist import is_main_process, master_only
from mmengine.hooks import LoggerHook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

import mmact_ssl  # noqa: F401  (the fixes come before any model is imported)
from mmact_ssl.engine.hooks.gradient_conflict_hook import FILE_NAME
from mmact_ssl.engine.launch import fit_to_cpu
from mmact_ssl.errors import CheckpointError, ConfigError, one_line_errors
from mmact_ssl.evaluation.mean_conflict import epoch_after_epoch, mean_gradient_conflict
from mmact_ssl.reporting.pretext_result import make_pretext_result
from mmact_ssl.targets import TargetCacheHook
from mmact_ssl.visualization import read_conflict, summarize_conflict


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Test a model', formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument(
        '--work-dir', help='folder of logs and metrics, work_dirs/<config name> if not given'
    )
    parser.add_argument('--out', help='folder for a result file of the pretext tasks')
    parser.add_argument('--method', default='unnamed', help='row of the tables, for --out')
    parser.add_argument('--variant', default='full', help='e.g. no-pose, for --out')
    parser.add_argument('--seed', type=int, default=0, help='of the pre-training, for --out')
    parser.add_argument(
        '--any-teacher',
        action='store_true',
        help="test against targets of another teacher than the training's",
    )
    parser.add_argument('--dump', help='write all predictions to this .pkl file')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='change the config'
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.local_rank is not None:
        os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def load_config(args: argparse.Namespace) -> Config:
    """Read the config and lay the command line over it.

    Raises:
        ConfigError: There is no such config, or ``--dump`` is not a ``.pkl`` file.
        CheckpointError: There is no such checkpoint.
    """
    if not Path(args.config).is_file():
        raise ConfigError(f'{args.config}: no such config, see configs/')
    if '://' not in args.checkpoint and not Path(args.checkpoint).is_file():
        raise CheckpointError(f'{args.checkpoint}: no such checkpoint, check the path')
    cfg = Config.fromfile(args.config)
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = f'work_dirs/{Path(args.config).stem}'
    if args.dump is not None:
        if not args.dump.endswith(('.pkl', '.pickle')):
            raise ConfigError(f'--dump {args.dump}: the file must end in .pkl')
        evaluators = (
            cfg.test_evaluator if isinstance(cfg.test_evaluator, list) else [cfg.test_evaluator]
        )
        cfg.test_evaluator = [
            *evaluators,
            dict(type='mmengine.DumpResults', out_file_path=args.dump),
        ]
    if not torch.cuda.is_available():
        fit_to_cpu(cfg)
    return cfg


def load_all(runner: Runner, checkpoint: str) -> None:
    """Load a checkpoint into the runner's model, all keys of both.

    mmengine's own loading before a test only logs what is missing, and would test random heads.

    Raises:
        CheckpointError: A key is missing, left over, or of another shape.
    """
    try:
        runner.load_checkpoint(checkpoint, map_location='cpu', strict=True)
    except RuntimeError as error:
        raise CheckpointError(
            f'{checkpoint}: does not fit the model of the config, give the config (and the '
            f'--cfg-options) that it was trained with: {" ".join(str(error).split())}'
        ) from error


def write_metrics_once(runner: Runner) -> None:
    """Let the main process alone log a test.

    mmengine's hook writes the metrics on every process to one file, each over the other's.
    """
    for hook in runner.hooks:
        if isinstance(hook, LoggerHook):
            hook.after_test_epoch = master_only(hook.after_test_epoch)


def mean_conflict_metrics(runner: Runner, num_batches: int) -> dict[str, float]:
    """Compare the tasks' mean gradients over so many training batches; nothing for 0."""
    if not num_batches:
        return {}
    # Each epoch's workers are new, as they have to learn which one it is.
    loader = runner.build_dataloader(
        {**runner.cfg.train_dataloader, 'persistent_workers': False}, seed=0
    )
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    return mean_gradient_conflict(model, epoch_after_epoch(loader), num_batches)


def conflict_metrics(checkpoint: str) -> dict[str, float]:
    """Say how the tasks' gradients agreed over the training that wrote a checkpoint.

    Returns:
        See :func:`summarize_conflict`; nothing where the training had no GradientConflictHook.
    """
    log = Path(checkpoint).with_name(FILE_NAME)
    return summarize_conflict(read_conflict(log)) if log.is_file() else {}


def main(argv: list[str] | None = None) -> None:
    """Test."""
    args = parse_args(argv)
    with one_line_errors():
        cfg = load_config(args)
        runner = Runner.from_cfg(cfg)
        runner.register_hook(TargetCacheHook(args.any_teacher))
        load_all(runner, args.checkpoint)
        write_metrics_once(runner)
        metrics = runner.test()
        if not args.out:
            return
        # On all processes, which average their gradients. A failure writes nothing: half a result
        # would pass for a whole one, in a study too.
        metrics |= mean_conflict_metrics(runner, cfg.get('conflict_batches', 0))
        metrics |= conflict_metrics(args.checkpoint)
        if is_main_process():
            result = make_pretext_result(
                cfg, metrics, args.checkpoint, args.method, args.variant, args.seed
            )
            print(f'wrote {result.write(args.out)}')


if __name__ == '__main__':
    main()
