#!/usr/bin/env python
"""Measure how much of unseen recordings ``label`` gets right, by encoder and number of labels.

python research/label_study.py data/utdmhad/test.txt 'ImageNet start=tsm-lite0' \
    'DTG-Net TSM=dtg_tsm-lite0_jhmdb' 'DTG-Net TSM, own recordings=pretrain'

It joins the clips of the list to recordings, and makes a student of these without their labels
where a model is named ``pretrain``; ``MODEL:ENCODER`` names another encoder. Labels from three
recordings label the other three, for each choice of three. Results that are there are skipped.
"""

from __future__ import annotations

import itertools
import shlex
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import mmact_ssl  # noqa: F401  # isort: skip  (the fixes come before mmengine)
import numpy as np

from mmact_ssl.apis import label
from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.errors import one_line_errors
from mmact_ssl.evaluation.results import Result, config_hash, read_results
from mmact_ssl.io.files import sha256_of
from mmact_ssl.labeling.classifier import Classifier
from mmact_ssl.labeling.outputs import Segment, find_segments
from mmact_ssl.labeling.tables import Label, read_label_table
from mmact_ssl.labeling.windows import Windows
from mmact_ssl_cli import Parser, load_tool
from research.join_clips import join_clips

ROOT = Path(__file__).resolve().parents[1]
RECORDINGS, LABELED = 6, 3
COUNTS = (1, 2, 5, 10)  # labeled windows per class


def seconds_right(segments: Sequence[Segment], truth: Sequence[Label]) -> np.ndarray:
    """Seconds with the right label, and seconds with any, ``(2,)``."""
    shared = [
        (
            max(min(found.stop, part.stop) - max(found.start, part.start), 0),
            found.label == part.name,
        )
        for found, part in itertools.product(segments, truth)
        if found.video == part.video
    ]
    return np.array([[seconds * is_right, seconds] for seconds, is_right in shared]).sum(axis=0)


def measure(windows: Windows, truth: Sequence[Label]) -> tuple[dict[str, list[float]], str]:
    """Time right in draws of the labels, and a hash of these.

    Returns:
        Shares of the unlabeled recordings by metric: ``smoothed@N`` by neighboring windows, and
        ``alone@N``; and 1 or 0 in ``held@N`` where the estimated interval holds the share of their
        windows that are right.
    """
    classes = sorted({part.name for part in truth})
    of_window, _ = windows.give(truth, classes)
    found: dict[str, list[float]] = defaultdict(list)
    drawn = []
    halves = itertools.combinations(range(len(windows.videos)), LABELED)
    for (seed, half), count in itertools.product(enumerate(halves), COUNTS):
        rng, is_labeled = np.random.default_rng([seed, count]), np.isin(windows.video, half)
        rows = np.concatenate(
            [
                rng.permutation(np.flatnonzero((of_window == number) & is_labeled))[:count]
                for number in range(len(classes))
            ]
        )
        given = np.full(len(of_window), -1)
        given[rows] = of_window[rows]
        drawn += rows.tolist()
        classifier = Classifier(windows, given, windows.video, len(classes))
        estimate, tests = classifier.estimate, ~is_labeled & (of_window >= 0)
        for metric in ('smoothed', 'alone'):
            probabilities = classifier.probabilities()
            segments = find_segments(windows, classes, probabilities)
            tested = [part for part in segments if windows.videos.index(part.video) not in half]
            right, total = seconds_right(tested, truth)
            found[f'{metric}@{count}'].append(float(right / total))
            if metric == 'smoothed' and estimate:
                low, high = estimate.interval
                share = (probabilities.argmax(axis=1) == of_window)[tests].mean()
                found[f'held@{count}'].append(float(low <= share <= high))
            classifier.span = 1
    return dict(found), sha256_of(str(drawn))


def main(argv: list[str] | None = None) -> None:
    """Measure each model that has no result yet."""
    parser = Parser(description=__doc__)
    parser.add_argument('listing', type=Path, help='annotation of clips that no model has seen')
    parser.add_argument('models', nargs='+', metavar='ROW=MODEL', help='METHOD[, VARIANT]=MODEL')
    parser.add_argument('--window', type=float, default=2)
    parser.add_argument('--runs', action='store_true', help='clips of a class follow one another')
    parser.add_argument('--pretrain', default='--window 2', help='options of tools/pretrain.py')
    parser.add_argument('--work', type=Path, default=Path('work_dirs/label_study'))
    parser.add_argument('--results', type=Path, default=ROOT / 'research/results')
    args = parser.parse_args(argv)
    dataset = f'recordings-{args.listing.absolute().parent.name}' + '-runs' * args.runs
    work, recordings = args.work / dataset, args.work / dataset / 'recordings'
    with one_line_errors():
        if not recordings.is_dir():
            join_clips(args.listing, recordings, RECORDINGS, args.runs)
        for row, model in (text.split('=', 1) for text in args.models):
            if row in {result.label for result in read_results(args.results, dataset)}:
                continue
            if model == 'pretrain':
                load_tool('pretrain').main(
                    [str(recordings), '--out', str(work / 'pretrain'), *shlex.split(args.pretrain)]
                )
                model = str(max((work / 'pretrain').glob('*.safetensors')))
            encoder = Encoder.load(*model.split(':'))
            folder = work / f'{encoder.config.name}-{encoder.sha256[:8]}'
            windows = label(recordings, None, encoder, args.window, folder=folder).windows
            truth = read_label_table(work / 'truth.csv', windows.videos)
            draws, drawn = measure(windows, truth)
            method, _, variant = row.partition(', ')
            Result(
                method,
                variant or 'full',
                dataset,
                protocol='fewshot',
                backbone=encoder.config.name,
                seed=0,
                metrics={metric: float(np.mean(values)) for metric, values in draws.items()}
                | {'chance': 1 / len({part.name for part in truth})},
                label_fraction=1.0,
                config=f'research/{Path(__file__).name}',
                config_hash=config_hash([args.window, RECORDINGS, LABELED, COUNTS]),
                checkpoint_hash=encoder.sha256,
                data_version=sha256_of((work / 'truth.csv').read_text(encoding='utf-8')),
                synthetic=False,
                details=dict(draws=draws, drawn=drawn),
            ).write(args.results)


if __name__ == '__main__':
    main()
