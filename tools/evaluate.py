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
        --label-fraction 0.1 --seed 1 --out results
    python tools/evaluate.py linear,semi --set demo \
        'work_dirs/csvr_r3d_demo/seed{seed}/epoch_16.pth' --seeds 0 1 2 --method CSVR \
        --out results
    python tools/evaluate.py linear,knn configs/downstream/r3d18-small.py --set jhmdb \
        --method Teacher --teacher data/jhmdb/targets/efficientnet_lite0_imagenet.lmdb --out results
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mmact_ssl_cli import Parser

if TYPE_CHECKING:
    from mmengine.config import Config

    from mmact_ssl.evaluation.protocols.base import Encoder
    from mmact_ssl.evaluation.results import Result

SEED = '{seed}'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = Parser(description=__doc__)
    parser.add_argument(
        'protocols',
        help='linear, linear-adam, lda, knn, fewshot (1, 2, 5 and 10 labels a class, means over 20 '
        'draws of the labels), retrieval, finetune, joint (the classifier of joint '
        'training in the checkpoint), separated by commas; all: linear, knn and retrieval; semi, '
        'semi-linear: finetune and linear with 1, 5, 10, 20 and 40 %% of the labels; transfer: '
        'linear for a student of another data set (--pretrained-on)',
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
        help='file with the student under --prefix, a work dir with checkpoints, or the name of a '
        f'published model; {SEED} in it stands for each seed',
    )
    parser.add_argument(
        '--random',
        action='store_true',
        help="no checkpoint: a random encoder, or one with the config's initial weights",
    )
    parser.add_argument(
        '--teacher',
        metavar='CACHE',
        help="a teacher's own embeddings in place of an encoder, mean over a video's frames",
    )
    parser.add_argument(
        '--join',
        nargs='+',
        default=(),
        metavar='CHECKPOINT',
        help='other students of the same network, to concatenate their frozen features',
    )
    parser.add_argument('--prefix', default='backbone.', help="the student's keys begin with it")
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument('--seed', type=int, default=0)
    seeds.add_argument('--seeds', type=int, nargs='+', help='several: mean and deviation')
    parser.add_argument(
        '--method',
        help='row of the tables, e.g. CSVR; by default that of a published model, or the name of '
        'the training config',
    )
    parser.add_argument('--variant', default='full', help='e.g. no-pose')
    parser.add_argument(
        '--pretrained-on', default='', metavar='DATASET', help='where the student comes from'
    )
    parser.add_argument(
        '--label-fraction',
        type=_fractions,
        default=(),
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
    parser.add_argument('--device', help='of feature extraction; a GPU where there is one')
    args = parser.parse_intermixed_args(argv)  # the checkpoint may come after the options
    if args.config is not None and args.checkpoint is None and not args.config.endswith('.py'):
        args.config, args.checkpoint = None, args.config
    if args.config is None and args.checkpoint is None:
        parser.error('give a downstream config, or a checkpoint')
    if args.config is None and args.data is None and args.set is None:
        parser.error('give --data DIR or --set NAME with a checkpoint')
    if sum((args.checkpoint is not None, args.random, args.teacher is not None)) != 1:
        parser.error('give either a checkpoint, --random or --teacher')
    if args.random and args.pretrained_on:
        parser.error('--pretrained-on: a random encoder was pre-trained on nothing')
    args.seeds = args.seeds or [args.seed]
    args.protocols = args.protocols.replace(' ', '')
    if args.compare and not (args.out and 'fewshot' in args.protocols.split(',')):
        parser.error('--compare: for the protocol fewshot, with --out')
    return args


def _fractions(text: str) -> tuple[float, ...]:
    """Read ``0.05,0.1``."""
    return tuple(float(part) for part in text.split(','))


def load_config(args: argparse.Namespace) -> tuple[Config, dict[str, Encoder]]:
    """Read the downstream config, and the encoders by the paths or names on the command line."""
    from mmact_ssl.apis.zoo import find_model
    from mmact_ssl.engine.launch import keep_freed_memory, read_config
    from mmact_ssl.errors import ConfigError
    from mmact_ssl.evaluation.downstream import config_for, fit_lists
    from mmact_ssl.evaluation.protocols.base import Encoder
    from mmact_ssl.evaluation.student import with_saved_backbone
    from mmact_ssl.saved_run import SavedRun

    keep_freed_memory()
    cfg = None
    if args.config is not None:
        cfg = read_config(args.config, args.cfg_options, args.data, args.set)
        if 'dataset_name' not in cfg or 'cls_head' not in cfg.get('model', {}):
            raise ConfigError(f'{args.config}: not a downstream config; see configs/downstream/')
    patterns = [path for path in (args.checkpoint, *args.join) if path]
    paths = {path.replace(SEED, str(seed)) for path in patterns for seed in args.seeds}
    students = {path: SavedRun.read(find_model(path)) for path in sorted(paths)}
    if cfg is None:
        first = students[args.checkpoint.replace(SEED, str(args.seeds[0]))]
        cfg = config_for(first, args.data, args.cfg_options, args.set)
    protocols = args.protocols.split(',')
    if 'transfer' in protocols and args.pretrained_on in ('', cfg.dataset_name):
        raise ConfigError(f'transfer to {cfg.dataset_name}: name another set by --pretrained-on')
    if 'own_folder' in cfg:
        read = [student.labels_read for student in students.values() if student.labels_read]
        reads_labels = 'joint' in protocols or cfg.dataset_name in {known.dataset for known in read}
        fit_lists(cfg, splits=not reads_labels)
    encoders = {
        path: Encoder(with_saved_backbone(cfg, student, args.prefix, args.cfg_options), student)
        for path, student in students.items()
    }
    return cfg, encoders


def run(args: argparse.Namespace) -> list[Result]:
    """Evaluate as the command line asks; write each result, and print all at the end.

    If a protocol stops with an error, the results before it are printed first.
    """
    from mmact_ssl.apis.card import known_method
    from mmact_ssl.engine.device import find_device
    from mmact_ssl.evaluation.draws import find_row
    from mmact_ssl.evaluation.evaluate import check_request, evaluate
    from mmact_ssl.evaluation.protocols import plan_steps
    from mmact_ssl.evaluation.protocols.base import Encoder, Request
    from mmact_ssl.evaluation.result_table import print_differences, print_results
    from mmact_ssl.evaluation.results import read_results, run_name, student_name
    from mmact_ssl.evaluation.student import start_hash

    cfg, encoders = load_config(args)
    is_random = args.random and not start_hash(cfg)
    # Adapters have no initial weights.
    draws_weights = is_random or (args.random and 'backbone' in cfg.model.backbone)
    one_encoder = not draws_weights and SEED not in ' '.join([args.checkpoint or '', *args.join])
    steps = plan_steps(args.protocols, args.label_fraction, args.seeds, one_encoder)
    method = args.method or ('Random init' if is_random else None)
    if method is None and args.checkpoint and not args.join:
        first = encoders[args.checkpoint.replace(SEED, str(args.seeds[0]))]
        method = first.student and known_method(first.student)
    method = method or 'unnamed'
    planned = []
    for seed, fraction, protocols in steps:
        paths = [path and path.replace(SEED, str(seed)) for path in (args.checkpoint, *args.join)]
        work_dir = args.work_dir or 'work_dirs/evaluate'
        if not args.work_dir or len(steps) > 1:
            name = args.method or (paths[0] and student_name(paths[0], args.prefix)) or method
            names = (name, args.variant, cfg.dataset_name, 'finetune')
            work_dir += f'/{run_name(*names, fraction, seed, args.pretrained_on)}'
        request = Request(
            tuple(encoders[path] if path else Encoder(cfg) for path in paths),
            seed=seed,
            label_fraction=fraction,
            method=method,
            variant=args.variant,
            pretrained_on=args.pretrained_on,
            prefix=args.prefix,
            teacher=args.teacher,
            device=find_device(args.device),
            work_dir=work_dir,
            label_lists=args.out and str(Path(args.out) / 'labels'),
        )
        check_request(request, protocols)
        planned.append((request, protocols))
    row: list[Result] = []
    if args.compare:
        row = find_row(read_results(args.out), cfg.dataset_name, args.compare)
    results: list[Result] = []
    encoder, features = None, {}
    try:
        for request, protocols in planned:
            weights = [student.path for student in request.students]
            if encoder != (weights, request.seed if draws_weights else 0):
                encoder, features = (weights, request.seed if draws_weights else 0), {}
            for result in evaluate(request, protocols, features):
                results.append(result)
                if result.protocol == 'finetune':
                    print(f'the fine-tuned recognizer and its config are in {request.work_dir}')
                if args.out:
                    print(f'wrote {result.run} to {result.write(args.out)}')
    finally:
        if results:
            print_results(results, len(args.seeds))
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
