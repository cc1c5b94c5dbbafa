#!/usr/bin/env python
"""Evaluate a pre-trained student, or a random encoder, by one or more protocols.

    python tools/evaluate.py linear,knn,retrieval --data data/mine work_dirs/x
    python tools/evaluate.py linear,knn --data data/mine dtg_tsm-lite0_jhmdb
    python tools/evaluate.py linear,knn,retrieval --set demo \
        work_dirs/csvr_r3d_demo/epoch_16.pth --method CSVR --out results
    python tools/evaluate.py fewshot configs/downstream/tsm-lite0.py --data data/mine --random \
        --method Start --out results
    python tools/evaluate.py fewshot --data data/mine work_dirs/x --out results --compare Start
    python tools/evaluate.py finetune configs/downstream/r3d18-small.py --set demo --random \
        --label-fraction 0.1 --seeds 0 1 2 --out results
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mmact_ssl_cli import Parser

if TYPE_CHECKING:
    from mmengine.config import Config

    from mmact_ssl.evaluation.results import Result
    from mmact_ssl.saved_run import SavedRun


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = Parser(description=__doc__)
    parser.add_argument(
        'protocols',
        help='linear, linear-adam, lda, knn, fewshot (1, 2, 5 and 10 labels a class, means over 20 '
        'draws of the labels), retrieval, finetune, joint (the classifier of joint training in the '
        'checkpoint), separated by commas',
    )
    parser.add_argument(
        'config',
        nargs='?',
        help="downstream config, configs/downstream/*.py; by default that of the checkpoint's "
        'network',
    )
    parser.add_config_options()
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='file with the student, a work dir with checkpoints, or the name of a published model',
    )
    parser.add_argument(
        '--random',
        action='store_true',
        help="no checkpoint: a random encoder, or one with the config's initial weights",
    )
    parser.add_argument(
        '--seeds', type=int, nargs='+', default=[0], help='several: mean and deviation'
    )
    parser.add_argument(
        '--method',
        help='row of the tables, e.g. CSVR; by default that of a published model, or the name of '
        'the training config',
    )
    parser.add_argument('--variant', default='full', help='e.g. no-pose')
    parser.add_argument(
        '--label-fraction',
        type=_fractions,
        default=(1.0,),
        metavar='F[,F...]',
        help='fraction of the labels of every class, e.g. 0.1 or 0.05,0.1',
    )
    parser.add_argument(
        '--out', help='folder to write results to, such as results/; none by default'
    )
    parser.add_argument(
        '--compare',
        metavar='METHOD',
        help='of fewshot: a row in --out; print the differences from it, paired by draw',
    )
    parser.add_argument(
        '--work-dir',
        help='of fine-tuning; by default a folder in work_dirs/evaluate/, named by --method or by '
        'the checkpoint',
    )
    args = parser.parse_intermixed_args(argv)  # the checkpoint may come after the options
    if args.config is not None and args.checkpoint is None and not args.config.endswith('.py'):
        args.config, args.checkpoint = None, args.config
    if args.config is None and args.checkpoint is None:
        parser.error('give a downstream config, or a checkpoint')
    if args.config is None and args.data is None and args.set is None:
        parser.error('give --data DIR or --set NAME with a checkpoint')
    if (args.checkpoint is not None) == args.random:
        parser.error('give either a checkpoint or --random')
    if args.compare and not (args.out and 'fewshot' in args.protocols.split(',')):
        parser.error('--compare: for the protocol fewshot, with --out')
    return args


def _fractions(text: str) -> tuple[float, ...]:
    """Read ``0.05,0.1``."""
    return tuple(float(part) for part in text.split(','))


def read_student(args: argparse.Namespace) -> tuple[Config, SavedRun | None]:
    """Read the downstream config with the student's network, and the student's file."""
    from mmact_ssl.apis.zoo import find_model
    from mmact_ssl.engine.launch import keep_freed_memory, read_config
    from mmact_ssl.errors import ConfigError
    from mmact_ssl.evaluation.downstream import config_for
    from mmact_ssl.evaluation.student import with_saved_backbone
    from mmact_ssl.saved_run import SavedRun

    keep_freed_memory()
    student = SavedRun.read(find_model(args.checkpoint)) if args.checkpoint else None
    if args.config is None:
        cfg = config_for(student, args.data, args.cfg_options, args.set)
    else:
        cfg = read_config(args.config, args.cfg_options, args.data, args.set)
        if 'dataset_name' not in cfg or 'cls_head' not in cfg.get('model', {}):
            raise ConfigError(f'{args.config}: not a downstream config; see configs/downstream/')
    return with_saved_backbone(cfg, student, args.cfg_options) if student else cfg, student


def run(args: argparse.Namespace) -> list[Result]:
    """Evaluate as the command line asks; write each result, and at the end print all.

    If a protocol stops with an error, the results before it are printed first.
    """
    from mmact_ssl.apis.card import known_method
    from mmact_ssl.engine.device import find_device
    from mmact_ssl.evaluation.downstream import write_labeled_lists
    from mmact_ssl.evaluation.draws import find_row
    from mmact_ssl.evaluation.evaluate import check_request, evaluate
    from mmact_ssl.evaluation.protocols import plan_steps
    from mmact_ssl.evaluation.protocols.base import Request
    from mmact_ssl.evaluation.result_table import print_differences, print_results
    from mmact_ssl.evaluation.results import read_results, run_name
    from mmact_ssl.evaluation.student import start_hash

    cfg, student = read_student(args)
    trained_labels = student and student.labels_read
    has_read = trained_labels and trained_labels.dataset == cfg.get('dataset_name')
    write_labeled_lists(cfg, may_hold_out=not (has_read or 'joint' in args.protocols))
    is_random = args.random and not start_hash(cfg)
    # Adapters have no initial weights.
    draws_weights = is_random or (args.random and 'backbone' in cfg.model.backbone)
    steps = plan_steps(args.protocols, args.label_fraction, args.seeds, not draws_weights)
    known = 'Random init' if is_random else student and known_method(student)
    method = args.method or known or 'unnamed'
    planned = []
    for seed, fraction, protocols in steps:
        work_dir = args.work_dir or 'work_dirs/evaluate'
        if not args.work_dir or len(steps) > 1:
            # Two parts of the path tell apart the checkpoints of several runs.
            parts = Path(args.checkpoint or method).with_suffix('').parts
            path = '/'.join([part for part in parts if part != 'work_dirs'][-2:])
            names = (args.method or path, args.variant, cfg.dataset_name, 'finetune')
            work_dir += f'/{run_name(*names, fraction, seed)}'
        request = Request(
            cfg,
            student,
            seed=seed,
            label_fraction=fraction,
            method=method,
            variant=args.variant,
            device=find_device(None),
            work_dir=work_dir,
        )
        check_request(request, protocols)
        planned.append((request, protocols))
    row: list[Result] = []
    if args.compare:
        row = find_row(read_results(args.out), cfg.dataset_name, args.compare)
    results: list[Result] = []
    features: dict = {}
    try:
        for before, (request, protocols) in zip([None, *planned], planned):
            if draws_weights and before and before[0].seed != request.seed:
                features = {}
            for result in evaluate(request, protocols, features):
                results.append(result)
                if result.protocol == 'finetune':
                    print(f'the fine-tuned recognizer and its config are in {request.work_dir}')
                if args.out:
                    print(f'wrote {result.run} to {result.write(args.out)}')
    finally:
        if results:
            print_results(results)
    by_seed = {earlier.seed: earlier for earlier in row}
    for result in results if row else ():
        if result.protocol == 'fewshot':
            print_differences(by_seed.get(result.seed, row[0]), result)
    return results


def main(argv: list[str] | None = None) -> None:
    """Evaluate, print and write."""
    args = parse_args(argv)
    from mmact_ssl.errors import one_line_errors

    with one_line_errors():
        run(args)


if __name__ == '__main__':
    main()
