"""Train a model: ``python tools/train.py configs/csvr_r3d_demo.py``.

The options are those of every OpenMMLab project; see ``--help``.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mmact_ssl_cli import Parser

if TYPE_CHECKING:
    from mmengine.config import Config


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = Parser(
        description='Train a model', formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_config_options()
    parser.add_argument(
        '--work-dir', help='folder of logs and checkpoints, work_dirs/<config name> by default'
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
        help="random seed in place of the config's; a resumed run keeps its seed",
    )
    parser.add_argument('--deterministic', action='store_true', help='deterministic algorithms')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def load_config(args: argparse.Namespace) -> Config:
    """Read the config and apply the command line.

    Raises:
        ConfigError: There is no such config, or an option does not go with it or the machine.
    """
    from mmact_ssl.engine import launch
    from mmact_ssl.errors import ConfigError

    cfg = launch.load_config(args)
    if args.resume is not None:
        cfg.resume = args.resume if args.resume == 'auto' else True
        cfg.load_from = cfg.get('load_from') if args.resume == 'auto' else args.resume
    if args.seed is not None:
        cfg.merge_from_dict({'randomness.seed': args.seed})
    if args.deterministic:
        cfg.merge_from_dict({'randomness.deterministic': True})
    if args.amp:
        launch.enable_mixed_precision(cfg)
    if 'auto_scale_lr' not in cfg:  # the rate is for the batch of the file, in one process
        own = launch.read_config(args.config, data=args.data, dataset=args.set)
        batch = (own.get('train_dataloader') or {}).get('batch_size')
        counts = (own.get('optim_wrapper') or {}).get('accumulative_counts', 1)
        cfg.auto_scale_lr = dict(base_batch_size=counts * batch) if batch else {}
    if args.auto_scale_lr:
        if 'base_batch_size' not in (cfg.auto_scale_lr or {}):
            raise ConfigError(
                f'{args.config}: --auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...)'
            )
        cfg.auto_scale_lr.enable = True
    return cfg


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    from mmact_ssl.engine.config_check import check_config, errors_while_building
    from mmact_ssl.engine.runner import PretrainRunner
    from mmact_ssl.errors import one_line_errors

    with one_line_errors():
        cfg = load_config(args)
        check_config(cfg)
        with errors_while_building(cfg) as built:
            built.runner = PretrainRunner.from_cfg(cfg)
            built.runner.train()


if __name__ == '__main__':
    main()
