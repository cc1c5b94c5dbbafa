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
from mmengine.runner import Runner

import mmact_ssl  # noqa: F401  (the mends come before any model is imported)
from mmact_ssl.engine.launch import fit_to_cpu
from mmact_ssl.errors import CheckpointError, ConfigError, one_line_errors


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
    cfg.load_from = args.checkpoint
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


def main(argv: list[str] | None = None) -> None:
    """Test."""
    args = parse_args(argv)
    with one_line_errors():
        Runner.from_cfg(load_config(args)).test()


if __name__ == '__main__':
    main()
