#!/usr/bin/env python
"""Evaluate a pre-trained student, or a random encoder, by one or more protocols.

    python tools/evaluate.py linear,knn,retrieval --data data/mine work_dirs/x
    python tools/evaluate.py linear,knn --data data/mine dtg_tsm-lite0_jhmdb
    python tools/evaluate.py linear,knn,retrieval --set demo \
        work_dirs/csvr_r3d_demo/epoch_16.pth --method CSVR --out results
    python tools/evaluate.py finetune configs/downstream/r3d18-small.py --set demo --random \
        --label-fraction 0.1 --seed 1 --out results
    python tools/evaluate.py linear,semi --set demo \
        'work_dirs/csvr_r3d_demo/seed{seed}/epoch_16.pth' --seeds 0 1 2 --method CSVR \
        --out results --pictures work_dirs/pictures
    python tools/evaluate.py linear,knn configs/downstream/r3d18-small.py --set jhmdb \
        --method Teacher --teacher data/jhmdb/targets/efficientnet_lite0_imagenet.lmdb --out results
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmengine.config import Config

    from mmact_ssl.reporting.result import Result
    from mmact_ssl.saved_run import SavedRun

SEED = '{seed}'
FEATURE_METRICS = ('feature_std', 'effective_rank')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'protocols',
        help='linear, linear-adam, lda, knn, retrieval, finetune, joint (the classifier of joint '
        'training, as the checkpoint holds it), several with commas; all: linear, knn and '
        'retrieval, which share one feature extraction; semi, semi-linear: finetune and linear '
        'with 1, 5, 10, 20 and 40 %% of the labels; transfer: linear, of a student of another '
        'data set (--pretrained-on); zeroshot, text-retrieval: classes and clips found by '
        'sentences, of a checkpoint that was trained with prompts',
    )
    parser.add_argument(
        'config',
        nargs='?',
        help='downstream config, configs/downstream/*.py; of a checkpoint it may be left out: it '
        "is the one of the checkpoint's network",
    )
    parser.add_argument('--data', help='prepared folder to evaluate on')
    parser.add_argument(
        '--set',
        metavar='SET',
        help='or a shipped data set, such as nwucla, or the path of a file like those of '
        'configs/_base_/sets/',
    )
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='file with the student under --prefix, or a work dir, whose newest one is taken, or '
        f'the name of a published model; {SEED} in it stands for each seed',
    )
    parser.add_argument(
        '--random',
        action='store_true',
        help='no checkpoint: a random encoder, or with the weights that the config starts from',
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
        help='other students of the same network, whose frozen features stand beside',
    )
    parser.add_argument('--prefix', default='backbone.', help="the student's keys begin with it")
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument('--seed', type=int, default=0)
    seeds.add_argument('--seeds', type=int, nargs='+', help='several: mean and deviation')
    parser.add_argument(
        '--method',
        help='row of the tables, e.g. CSVR; by default what a published model states, or the name '
        'of the config that trained the checkpoint',
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
        help='share of the labels of every class, e.g. 0.1 or 0.05,0.1',
    )
    parser.add_argument(
        '--class-texts', metavar='CACHE', help='of zeroshot: sentences, keyed by class name'
    )
    parser.add_argument(
        '--clip-texts', metavar='CACHE', help='of text-retrieval: sentences, keyed by clip'
    )
    parser.add_argument('--out', help='folder of the results, such as results/')
    parser.add_argument(
        '--pictures', metavar='DIR', help='folder for confusion matrices and accuracies by class'
    )
    parser.add_argument(
        '--work-dir',
        help='of fine-tuning; a folder of work_dirs/evaluate/ by default, named by --method or, '
        'without one, by the path or name of the checkpoint',
    )
    parser.add_argument(
        '--cache-dir', default='work_dirs/feature_cache', help='of frozen features; "" for none'
    )
    parser.add_argument('--device', help='of feature extraction; a GPU where there is one')
    parser.add_argument(
        '--cfg-options', nargs='+', action='extend', metavar='KEY=VALUE', help='change the config'
    )
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
    return args


def _fractions(text: str) -> tuple[float, ...]:
    """Read ``0.05,0.1``."""
    return tuple(float(part) for part in text.split(','))


def read_students(args: argparse.Namespace) -> dict[str, SavedRun]:
    """Read the file of each student that the command line names, by what it names."""
    from mmact_ssl.saved_run import SavedRun

    named = [path for path in (args.checkpoint, *args.join) if path]
    paths = {path.replace(SEED, str(seed)) for path in named for seed in args.seeds}
    return {path: SavedRun.read(find_checkpoint(path)) for path in sorted(paths)}


def load_config(args: argparse.Namespace) -> tuple[Config, dict[str, SavedRun]]:
    """Read the downstream config and the students, see :func:`read_students`."""
    from mmact_ssl.engine.launch import check_kind_of_data, keep_freed_memory, read_config
    from mmact_ssl.errors import ConfigError
    from mmact_ssl.evaluation.downstream import config_for, fit_lists, may_hold_out

    keep_freed_memory()
    if args.config is None:
        students = read_students(args)
        first = students[args.checkpoint.replace(SEED, str(args.seeds[0]))]
        cfg = config_for(first, args.data, args.cfg_options, args.set)
    else:
        cfg = read_config(args.config, args.cfg_options, args.data, args.set)
    check_kind_of_data(cfg)
    for key, texts in (('zeroshot', args.class_texts), ('text_retrieval', args.clip_texts)):
        if texts is not None:
            cfg.merge_from_dict({f'{key}.texts': texts})
    if 'dataset_name' not in cfg or 'cls_head' not in cfg.get('model', {}):
        raise ConfigError(f'{args.config}: not a downstream config; see configs/downstream/')
    if 'transfer' in args.protocols.split(',') and args.pretrained_on in ('', cfg.dataset_name):
        raise ConfigError(f'transfer to {cfg.dataset_name}: name another set by --pretrained-on')
    if args.config is not None:
        students = read_students(args)
    may = may_hold_out(cfg, students.values())
    fit_lists(cfg, splits=may and 'joint' not in args.protocols.split(','))
    return cfg, students


def find_checkpoint(where: str) -> str:
    """Path of a checkpoint or a work dir as it is, of a name that of the published model."""
    from mmact_ssl.apis.zoo import find_checked_model

    path = Path(where)
    is_name = path.name == where and not path.suffix and not path.exists()
    return find_checked_model(where) if is_name else where


def known_method(student: SavedRun) -> str:
    """Method on a published file's card, or name of the config of a pre-training; '' elsewhere."""
    from mmact_ssl.apis.card import NAME, card_from

    if student.card is not None:
        with suppress(ValueError):
            return card_from(student.card).method
    name, model = student.config_name, student.config.get('model') or {}
    tuned = name.startswith('finetune_') or 'cls_head' in model
    return name if NAME.fullmatch(name) and not tuned else ''


def student_name(args: argparse.Namespace, seed: int) -> str:
    """Name a student that has no ``--method``: ``x/epoch_4`` of ``work_dirs/x/epoch_4.pth``.

    The path from the last folder ``work_dirs`` on, else its last two parts.
    """
    path = Path(args.checkpoint.replace(SEED, str(seed)))
    parts = path.parts if path.is_dir() else (*path.parts[:-1], path.stem)
    after = len(parts) - parts[::-1].index('work_dirs') if 'work_dirs' in parts else -2
    name = '/'.join(part for part in parts[after:] if part not in ('/', '..'))
    return name if args.prefix == 'backbone.' else f'{name}-{args.prefix}'


def run(args: argparse.Namespace) -> list[Result]:
    """Evaluate as the command line asks; each result is written as soon as it is there."""
    from mmact_ssl.engine.device import find_device
    from mmact_ssl.evaluation.evaluate import check_request, evaluate
    from mmact_ssl.evaluation.protocols.base import Request
    from mmact_ssl.evaluation.student import start_hash
    from mmact_ssl.reporting.result import run_name

    cfg, students = load_config(args)
    is_random = args.random and not start_hash(cfg)
    # Adapters have no weights to start from.
    steps = plan_steps(args, is_random or (args.random and 'backbone' in cfg.model.backbone))
    method = args.method or ('Random init' if is_random else None)
    if method is None and args.checkpoint and not args.join:
        method = known_method(students[args.checkpoint.replace(SEED, str(args.seeds[0]))])
    method = method or 'unnamed'
    planned = []
    for seed, fraction, protocols in steps:
        work_dir = args.work_dir or 'work_dirs/evaluate'
        if not args.work_dir or len(steps) > 1:
            name = args.method or (args.checkpoint and student_name(args, seed)) or method
            names = (name, args.variant, cfg.dataset_name, 'finetune')
            work_dir += f'/{run_name(*names, fraction, seed, args.pretrained_on)}'
        request = Request(
            cfg,
            args.checkpoint and students[args.checkpoint.replace(SEED, str(seed))],
            joined=tuple(students[path.replace(SEED, str(seed))] for path in args.join),
            seed=seed,
            label_fraction=fraction,
            method=method,
            variant=args.variant,
            pretrained_on=args.pretrained_on,
            prefix=args.prefix,
            teacher=args.teacher,
            device=find_device(args.device),
            work_dir=work_dir,
            cache_dir=args.cache_dir or None,
            label_lists=args.out and str(Path(args.out) / 'labels'),
        )
        check_request(request, protocols)
        planned.append((request, protocols))
    results = []
    for request, protocols in planned:
        for result in evaluate(request, protocols):
            results.append(result)
            if result.protocol == 'finetune':
                print(f'the fine-tuned recognizer and its config are in {request.work_dir}')
            if args.out:
                print(f'wrote {result.run} to {result.write(args.out)}')
    return results


def plan_steps(
    args: argparse.Namespace, is_random: bool = False
) -> list[tuple[int, float, list[str]]]:
    """List seed, share of the labels and protocols, in order.

    What no seed changes is left to the first one: a probe with all labels on one checkpoint.
    ``is_random``: the seed draws weights of the encoder.
    """
    from mmact_ssl.evaluation.protocols import is_stochastic, plan_protocols

    one_encoder = not is_random and SEED not in ' '.join([args.checkpoint or '', *args.join])
    steps = []
    for seed in args.seeds:
        for fraction, protocols in plan_protocols(args.protocols, args.label_fraction).items():
            if one_encoder and seed != args.seeds[0]:
                protocols = [name for name in protocols if is_stochastic(name, fraction)]
            if protocols:
                steps.append((seed, fraction, protocols))
    return steps


def print_results(results: list[Result]) -> None:
    """Print the metrics as a table, one row per protocol and metric, one column per seed."""
    from rich.console import Console
    from rich.table import Table

    from mmact_ssl.reporting.result import RANDOM
    from mmact_ssl.reporting.tables import format_cell

    first = results[0]
    seeds = sorted({result.seed for result in results})
    data = f'{first.dataset} (synthetic)' if first.synthetic else first.dataset
    source = f' from {first.pretrained_on}' if first.transferred else ''
    named = f'seed{"s" if len(seeds) > 1 else ""} {", ".join(map(str, seeds))}'
    clips = f'\n{first.metrics["n_test"]} test clips' if 'n_test' in first.metrics else ''
    table = Table(title=f'{first.method} {first.variant}{source} on {data}, {named}{clips}')
    for heading in ('protocol', 'metric'):
        table.add_column(heading)
    for seed in seeds:
        table.add_column('value' if len(seeds) == 1 else f'seed {seed}', justify='right')
    if len(seeds) > 1:
        table.add_column('mean ± deviation', justify='right')
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        part = f', {100 * result.label_fraction:g} %' if result.label_fraction != 1 else ''
        groups[result.protocol + part].append(result)
    shown = {'n_test'}
    for protocol, group in groups.items():
        for metric in group[0].metrics:
            if metric in shown:  # above, or once for all: they read the same features and clips
                continue
            plain = metric in FEATURE_METRICS
            scale, digits, unit = (1, 3, '') if plain else (100, 1, ' %')
            values = {result.seed: scale * result.metrics[metric] for result in group}
            cells = [f'{values[s]:.{digits}f}{unit}' if s in values else '' for s in seeds]
            if len(seeds) > 1:
                cells.append(f'{format_cell(list(values.values()), digits)}{unit}')
            table.add_row(protocol, metric, *cells)
        table.add_section()
        shown |= set(FEATURE_METRICS) & set(group[0].metrics)
    Console().print(table)
    encoders = {result.checkpoint_hash for result in results}
    if len(seeds) > 1 and len(encoders) == 1 and encoders != {RANDOM}:
        print(
            'one checkpoint: the deviation is that of the drawn labels and of training on them; '
            f'with {SEED} in its path, each seed has its own'
        )


def main(argv: list[str] | None = None) -> None:
    """Evaluate, print, write and draw."""
    args = parse_args(argv)
    # After parsing: --help need not wait for torch.
    import mmact_ssl  # noqa: F401  (fixes upstream before anything of mmaction2 is imported)
    from mmact_ssl.errors import one_line_errors
    from mmact_ssl.visualization.confusion import write_pictures

    with one_line_errors():
        results = run(args)
        print_results(results)
        if args.pictures:
            for file in write_pictures(results, args.pictures):
                print(f'wrote {file}')


if __name__ == '__main__':
    main()
