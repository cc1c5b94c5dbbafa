#!/usr/bin/env python
"""Test a model: ``python tools/test.py CONFIG CHECKPOINT``.

The options are those of every OpenMMLab project and a few more; see ``--help``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mmact_ssl_cli import Parser

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.runner import Runner


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = Parser(
        description='Test a model', formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='file, or a work dir for its newest checkpoint')
    parser.add_config_options()
    parser.add_argument(
        '--work-dir', help='folder of logs and metrics, work_dirs/<config name> if not given'
    )
    parser.add_argument('--out', help='folder for a result file of the pretext tasks')
    parser.add_argument(
        '--method', help="row of the tables, for --out; the config's name if not given"
    )
    parser.add_argument('--variant', default='full', help='e.g. no-pose, for --out')
    parser.add_argument('--seed', type=int, default=0, help='of the pre-training, for --out')
    parser.add_argument(
        '--any-teacher',
        action='store_true',
        help="test against targets of another teacher than the training's",
    )
    parser.add_argument('--dump', help='write all predictions to this .pkl file')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def load_config(args: argparse.Namespace) -> Config:
    """Read the config and apply the command line.

    Raises:
        ConfigError: There is no such config, or ``--dump`` is not a ``.pkl`` file.
    """
    from mmact_ssl.engine import launch
    from mmact_ssl.errors import ConfigError

    cfg = launch.load_config(args)
    if cfg.get('test_dataloader') is None:
        raise ConfigError(f'{args.config}: has no test_dataloader, see docs/extend/add_a_task.md')
    if args.any_teacher:
        hook = dict(type='TargetCacheHook', any_teacher=True)
        cfg.merge_from_dict({'default_hooks.target_caches': hook})
    if args.dump is not None:
        if not args.dump.endswith(('.pkl', '.pickle')):
            raise ConfigError(f'--dump {args.dump}: the file must end in .pkl')
        evaluators = cfg.test_evaluator
        evaluators = evaluators if isinstance(evaluators, list) else [evaluators]
        dump = dict(type='mmengine.DumpResults', out_file_path=args.dump)
        cfg.test_evaluator = [*evaluators, dump]
    return cfg


def main(
    argv: list[str] | None = None,
    more_metrics: Callable[[Runner, str], dict[str, float]] | None = None,
) -> None:
    """Test, and write the result with ``more_metrics`` of the runner and checkpoint, if any."""
    args = parse_args(argv)
    from mmengine.dist import is_main_process

    from mmact_ssl.engine.config_check import check_config, errors_while_building
    from mmact_ssl.engine.runner import PretrainRunner
    from mmact_ssl.engine.unwrap import unwrap_model
    from mmact_ssl.errors import one_line_errors
    from mmact_ssl.evaluation.pretext_result import make_pretext_result
    from mmact_ssl.weights import load_trained, read_trained

    with one_line_errors():
        cfg = load_config(args)
        path, content = read_trained(args.checkpoint)
        check_config(cfg)
        with errors_while_building(cfg):
            runner = PretrainRunner.from_cfg(cfg)
        load_trained(unwrap_model(runner.model), path, content)
        runner.call_hook('after_load_checkpoint', checkpoint=content)
        metrics = runner.test()
        if not args.out:
            return
        # Compute all metrics before writing: a study would take half a result for a whole one.
        if more_metrics:
            metrics |= more_metrics(runner, path)
        if is_main_process():
            method = args.method or Path(args.config).stem
            result = make_pretext_result(cfg, metrics, path, method, args.variant, args.seed)
            print(f'wrote {result.write(args.out)}')


if __name__ == '__main__':
    main()
