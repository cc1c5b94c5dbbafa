#!/usr/bin/env python
"""Evaluate a pre-trained student, or a random encoder, by one or more protocols.

    mmact-ssl evaluate linear,knn,retrieval --data data/mine work_dirs/x
    mmact-ssl evaluate fewshot --encoder tsm-lite0 --data data/mine --random
    mmact-ssl evaluate finetune --encoder r3d18-small --set demo --random \
        --label-fraction 0.1 --seeds 0 1 2 --out results
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from mmact_ssl_cli import Parser

if TYPE_CHECKING:
    from mmact_ssl.evaluation.protocols.base import ProtocolInput


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = Parser(description=__doc__)
    parser.add_argument(
        'protocols',
        help='linear, lda, knn, fewshot (1, 2, 5 and 10 labels a class, means over 20 draws of the '
        'labels), retrieval, finetune, joint (the classifier of joint training in the checkpoint), '
        'separated by commas',
    )
    parser.add_config_options()
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='file with the student, a work dir with checkpoints, or the name of a published model',
    )
    parser.add_encoder_option()
    parser.add_argument(
        '--random',
        action='store_true',
        help='no checkpoint: --encoder with random weights, or with those that its config names',
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
    parser.add_argument('--out', help='folder of results, such as results/; none by default')
    parser.add_argument(
        '--work-dir',
        help='of fine-tuning; by default a folder in work_dirs/evaluate/, named by --method or by '
        'the checkpoint',
    )
    args = parser.parse_intermixed_args(argv)  # the checkpoint may come after the options
    if (args.checkpoint is not None) == args.random:
        parser.error('give either a checkpoint or --random')
    if args.random and args.encoder is None:
        parser.error('--random: give --encoder NAME')
    if args.data is None and args.set is None:
        parser.error('give --data DIR or --set NAME')
    return args


def _fractions(text: str) -> tuple[float, ...]:
    """Read ``0.05,0.1``."""
    return tuple(float(part) for part in text.split(','))


def main(argv: list[str] | None = None) -> None:
    """Evaluate as the command line asks; if a protocol fails, the results before it are printed."""
    args = parse_args(argv)
    from mmact_ssl.engine.terminal import messages_on_stderr
    from mmact_ssl.errors import one_line_errors

    with one_line_errors(), messages_on_stderr():
        from mmact_ssl.evaluation.evaluate import evaluate
        from mmact_ssl.evaluation.result_table import print_results

        method, planned = plan(args)
        results = []
        try:
            while planned:
                inputs, protocols = planned.pop(0)  # features of the last seed need their memory
                for result in evaluate(inputs, protocols, method, args.variant):
                    results.append(result)
                    if result.protocol == 'finetune':
                        print(f'the fine-tuned recognizer and its config are in {inputs.work_dir}')
                    if args.out:
                        print(f'wrote {result.run} to {result.write(args.out)}')
        finally:
            if results:
                print_results(results)


def plan(args: argparse.Namespace) -> tuple[str, list[tuple[ProtocolInput, list[str]]]]:
    """Read encoder and data, and check them for each protocol, seed and fraction.

    Returns:
        Method of the results, and the evaluations: the inputs, and names of protocols.
    """
    from mmengine.device import get_device

    from mmact_ssl.encoders.encoder import weights_hash
    from mmact_ssl.engine.launch import keep_freed_memory
    from mmact_ssl.evaluation.data import read_splits, write_labeled_lists
    from mmact_ssl.evaluation.evaluate import check_inputs, plan_protocols
    from mmact_ssl.evaluation.protocols import is_stochastic
    from mmact_ssl.evaluation.protocols.base import ProtocolInput
    from mmact_ssl.evaluation.recognizer_config import read_evaluation
    from mmact_ssl.evaluation.results import run_name
    from mmact_ssl.io.student_file import StudentFile

    keep_freed_memory()
    protocols = plan_protocols(args.protocols)
    saved = StudentFile.read(args.checkpoint) if args.checkpoint else None
    cfg, encoder = read_evaluation(args.encoder or saved, args.data, args.set, args.cfg_options)
    if 'own_folder' in cfg:
        labels = saved and saved.labels_read
        has_read = labels and labels.dataset == cfg.dataset_name
        write_labeled_lists(cfg, may_hold_out=not (has_read or 'joint' in protocols))
    data = read_splits(cfg)
    is_random = not weights_hash(encoder, saved)
    # Adapters have no initial weights.
    differs_by_seed = is_random or (saved is None and 'backbone' in encoder.backbone)
    method = args.method or ('Random init' if is_random else saved and saved.method) or 'unnamed'
    planned, features = [], {}  # features by seed, or of all seeds
    for seed, fraction in product(args.seeds, args.label_fraction):
        # Of one encoder, only what changes with the seed is measured again.
        is_repeated = not differs_by_seed and seed != args.seeds[0]
        names = [n for n in protocols if not is_repeated or is_stochastic(n, fraction)]
        if not names:
            continue
        work_dir = args.work_dir or 'work_dirs/evaluate'
        if not args.work_dir or len(args.seeds) * len(args.label_fraction) > 1:
            # Two parts of the path tell apart the checkpoints of several runs.
            parts = Path(args.checkpoint or method).with_suffix('').parts
            path = '/'.join([part for part in parts if part != 'work_dirs'][-2:])
            run = (args.method or path, args.variant, cfg.dataset_name, 'finetune', fraction, seed)
            work_dir += f'/{run_name(*run)}'
        inputs = ProtocolInput(
            cfg,
            encoder,
            saved,
            *data,
            seed=seed,
            label_fraction=fraction,
            device=get_device(),
            work_dir=work_dir,
            extracted=features.setdefault(seed if differs_by_seed else 0, {}),
        )
        check_inputs(inputs, names)
        planned.append((inputs, names))
    return method, planned


if __name__ == '__main__':
    main()
