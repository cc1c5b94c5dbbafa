#!/usr/bin/env python
"""Evaluate a pre-trained student, or a random encoder, by one or more protocols.

    python tools/evaluate.py linear,knn,retrieval configs/downstream/linear_r3d_demo.py \
        work_dirs/csvr_r3d_demo/epoch_40.pth --method CSVR --out results
    python tools/evaluate.py finetune configs/downstream/finetune_r3d_demo.py --random \
        --label-fraction 0.1 --seed 1 --out results
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.device import get_device
from rich.console import Console
from rich.table import Table

import mmact_ssl  # noqa: F401  (mends upstream before anything of mmaction2 is imported)
from mmact_ssl.errors import ConfigError, one_line_errors
from mmact_ssl.evaluation.protocols import evaluate, parse_protocols
from mmact_ssl.evaluation.result import Result, result_file_name


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'protocols',
        help='linear, knn, retrieval, finetune, several with commas, or all: the '
        'first three, which share one feature extraction',
    )
    parser.add_argument('config', help='downstream config, configs/downstream/*.py')
    parser.add_argument('checkpoint', nargs='?', help='file with the student under --prefix')
    parser.add_argument('--random', action='store_true', help='random encoder, no checkpoint')
    parser.add_argument('--prefix', default='backbone.', help="the student's keys begin with it")
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--method', help='row of the tables, e.g. CSVR')
    parser.add_argument('--variant', default='full', help='e.g. no-pose')
    parser.add_argument(
        '--label-fraction', type=float, default=1.0, help='share of the labels of every class'
    )
    parser.add_argument('--out', help='folder for the JSON files, or one .json file')
    parser.add_argument('--work-dir', help='of fine-tuning; work_dirs/evaluate/... by default')
    parser.add_argument(
        '--cache-dir', default='work_dirs/feature_cache', help='of frozen features; "" for none'
    )
    parser.add_argument('--device', default=get_device(), help='of feature extraction')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='override the config: key=value'
    )
    args = parser.parse_intermixed_args(argv)  # the checkpoint may come after the options
    if (args.checkpoint is None) != args.random:
        parser.error('give either a checkpoint or --random')
    return args


def run(args: argparse.Namespace) -> list[Result]:
    """Evaluate as the command line asks.

    Raises:
        ConfigError: The command line cannot be followed; see also
            :func:`mmact_ssl.evaluation.protocols.evaluate`.
    """
    protocols = parse_protocols(args.protocols)
    if args.out and args.out.endswith('.json') and len(protocols) > 1:
        raise ConfigError(f'--out {args.out}: {len(protocols)} protocols need a folder')
    if not Path(args.config).is_file():
        raise ConfigError(f'{args.config}: no such config; see configs/downstream/')
    cfg = Config.fromfile(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    if 'dataset_name' not in cfg or 'backbone_name' not in cfg:
        raise ConfigError(f'{args.config}: not a downstream config; see configs/downstream/')
    method = args.method or ('Random init' if args.random else 'unnamed')
    name = result_file_name(
        method, args.variant, cfg.dataset_name, 'finetune', args.label_fraction, args.seed
    )
    return evaluate(
        cfg,
        protocols,
        args.checkpoint,
        seed=args.seed,
        method=method,
        variant=args.variant,
        label_fraction=args.label_fraction,
        work_dir=args.work_dir or f'work_dirs/evaluate/{Path(name).stem}',
        cache_dir=args.cache_dir or None,
        prefix=args.prefix,
        device=args.device,
    )


def print_results(results: list[Result]) -> None:
    """Print the metrics as a table, one row per protocol and metric."""
    first = results[0]
    data = f'{first.dataset} (synthetic)' if first.synthetic else first.dataset
    part = '' if first.label_fraction == 1 else f', {100 * first.label_fraction:g} % of the labels'
    table = Table(title=f'{first.method} {first.variant} on {data}, seed {first.seed}{part}')
    table.add_column('protocol')
    table.add_column('metric')
    table.add_column('value', justify='right')
    for result in results:
        for name, value in result.metrics.items():
            plain = name in ('feature_std', 'effective_rank')
            shown = f'{value:.3f}' if plain else f'{100 * value:.1f} %'
            table.add_row(result.protocol, name, shown)
        table.add_section()
    Console().print(table)


def main(argv: list[str] | None = None) -> None:
    """Evaluate, print and write."""
    args = parse_args(argv)
    with one_line_errors():
        results = run(args)
    print_results(results)
    for result in results:
        if args.out:
            print(f'wrote {result.write(args.out)}')


if __name__ == '__main__':
    main()
