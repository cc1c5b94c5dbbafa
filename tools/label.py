#!/usr/bin/env python
"""Label all your clips or recordings from a few labels.

Without labels it chooses moments to label first. ``label.html`` in the folder ``--out`` plays them:
label there, save ``labels.csv``, and call again with ``--labels labels.csv``. Then every moment has
a label with its probability, in tables, subtitles and events of BORIS, and ``next.csv`` names what
to label next. What is embedded once is kept.

    mmact-ssl label my/recordings
    mmact-ssl label my/recordings --labels ~/Downloads/labels.csv
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from mmact_ssl_cli import Parser, existing_path, full_path, reading_options

if TYPE_CHECKING:
    from mmact_ssl.apis.labeler import Labeled


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(description=__doc__)
    parser.add_argument(
        'source', type=existing_path, help='clips, recordings or skeletons: a folder or a file'
    )
    parser.add_argument(
        '--labels',
        metavar='TABLE',
        help='table video,label[,group] or video,start,stop,label[,group], or events of BORIS; or '
        'folders, if the first folder below SOURCE is the class; by default labels.csv in --out',
    )
    parser.add_argument(
        '--model', help='name in the zoo, or path of a file or work dir; by default a general one'
    )
    parser.add_encoder_option()
    parser.add_argument('--window', type=float, help='seconds; 0 for whole files')
    parser.add_argument('--stride', type=float, help='seconds between windows, half a window')
    parser.add_skeleton_options()
    parser.add_argument('--out', type=full_path, help='folder of all results, labels_NAME')
    args = parser.parse_args(argv)
    source = full_path(args.source).resolve()
    args.out = args.out or full_path(f'labels_{source.name if source.is_dir() else source.stem}')
    return args


def main(argv: list[str] | None = None) -> None:
    """Label the source, write the results and the page."""
    args = parse_args(argv)
    from mmact_ssl.apis.labeler import label
    from mmact_ssl.engine.terminal import messages_on_stderr
    from mmact_ssl.errors import one_line_errors
    from mmact_ssl.visualization.label_page import write_label_page

    with one_line_errors(), messages_on_stderr():
        earlier = args.out / 'labels.csv'
        labels = args.labels or (earlier if earlier.is_file() else None)
        found = label(
            args.source,
            labels,
            args.model,
            args.window,
            args.stride,
            args.out,
            **reading_options(args),
            show_progress=sys.stdout.isatty(),
        )
        found.write(args.out)
        page = write_label_page(found, args.out)
    print(*describe(found), page, sep='\n')


def describe(found: Labeled) -> list[str]:
    """Lines about the labels, how often they are right, and what is confused."""
    import numpy as np

    if found.classifier is None:
        return [f'no labels yet: {len(found.next)} moments to label first are in label.html']
    estimate, classes = found.classifier.estimate, found.classes
    counts = ', '.join(f'{name} {(found.given == k).sum()}' for k, name in enumerate(classes))
    kind = 'windows' if found.windows.is_cut else 'clips'
    lines = [f'{len(found.labels)} labels; labeled {kind}: {counts}']
    if estimate is None:
        lines.append(
            f'to estimate how often this is right, label ten {kind}, each class in two files '
            '(cut a long recording into several)'
        )
    else:
        low, high = (100 * value for value in estimate.interval)
        left_out = np.flatnonzero(~estimate.confusion.any(axis=1))
        without = ', '.join(classes[number] for number in left_out)
        lines.append(
            # Rounded down: 100 only without errors.
            f'right: about {int(100 * estimate.accuracy)} % ({low:.0f} to {high:.0f}), from '
            f'{estimate.confusion.sum()} labeled {kind} in {estimate.groups} files or groups'
            + (f', without {without}: label it in more files' if without else '')
        )
        confused = [
            (int(number), f'{classes[label]} taken for {classes[prediction]}')
            for (label, prediction), number in np.ndenumerate(estimate.confusion)
            if label != prediction and number
        ]
        lines += [f'  {number:4}  {names}' for number, names in sorted(confused, reverse=True)[:5]]
    if not found.classifier.is_calibrated:
        lines += [f'probabilities are not calibrated: this takes 30 labeled {kind} in two files']
    return lines


if __name__ == '__main__':
    main()
