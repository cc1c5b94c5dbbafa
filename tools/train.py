"""Train what a config describes: ``python tools/train.py configs/csvr_r3d_demo.py``.

The options are those of every OpenMMLab project; see ``--help``.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
from mmengine.runner import Runner

import mmact_ssl  # noqa: F401  the fixes come before any model is imported
from mmact_ssl.engine.launch import enable_mixed_precision, fit_to_cpu
from mmact_ssl.errors import ConfigError, one_line_errors
from mmact_ssl.targets import TargetCacheHook


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Train a model', formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir', help='folder of logs and checkpoints, work_dirs/<config name> if not given'
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='continue from this checkpoint, or without a value from the latest in the work dir',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision (needs a GPU)')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the actual batch size over auto_scale_lr.base_batch_size',
    )
    parser.add_argument(
        '--seed',
        type=int,
        help="random seed in place of the config's; a resumed run keeps the one it began with",
    )
    parser.add_argument('--deterministic', action='store_true', help='deterministic algorithms')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='change the config, e.g. train_cfg.max_epochs=5 model.heads.pose=None',
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
        FileNotFoundError: There is no such config.
        ConfigError: An option does not go with the config or the machine.
    """
    if not Path(args.config).is_file():
        raise FileNotFoundError(f'{args.config}: no such config, see configs/')
    cfg = Config.fromfile(args.config)
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = f'work_dirs/{Path(args.config).stem}'
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    if args.seed is not None or args.deterministic:
        cfg.randomness = cfg.get('randomness') or {}
        if args.seed is not None:
            cfg.randomness.seed = args.seed
        if args.deterministic:
            cfg.randomness.deterministic = True
    if args.amp:
        enable_mixed_precision(cfg)
    if args.auto_scale_lr:
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            raise ConfigError(
                f'{args.config}: --auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...)'
            )
        cfg.auto_scale_lr.enable = True
    if not torch.cuda.is_available():
        fit_to_cpu(cfg)
    return cfg


def main(argv: list[str] | None = None) -> None:
    """Train."""
    args = parse_args(argv)
    with one_line_errors():
        runner = Runner.from_cfg(load_config(args))
        runner.register_hook(TargetCacheHook())
        runner.train()


if __name__ == '__main__':
    main()
