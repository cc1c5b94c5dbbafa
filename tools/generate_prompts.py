#!/usr/bin/env python
"""Make sentences about the clips of a data set, without reading a label.

    python tools/generate_prompts.py kinematic --data data/nwucla
    python tools/generate_prompts.py file pkuv2_language.zip --data data/pkummd2
    python tools/generate_prompts.py lmm MODEL_FOLDER --data data/nwucla

Each writes ``DATA/sentences_<source>.json``, ``{clip: [sentence, ...]}``, which ``python
tools/extract_targets.py configs/teachers/minilm.py --sentences FILE`` embeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmact_ssl_cli import Parser

if TYPE_CHECKING:  # the package is imported after parsing, because --help does not need torch
    from mmact_ssl.datasets.skeleton_folder import SkeletonFolder


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(description=__doc__)
    sources = parser.add_subparsers(dest='source', required=True, metavar='SOURCE')
    kinematic = sources.add_parser('kinematic', help="from the joints' motion, by rules")
    file = sources.add_parser('file', help='from a file, matched by clip name')
    lmm = sources.add_parser('lmm', help='from frames, by a vision-language model of transformers')
    lmm.add_argument('model', help='folder with a network and processor saved by transformers')
    lmm.add_argument('--videos', help='use these videos, DIR/CLIP.mp4, not drawn skeletons')
    lmm.add_argument('--question', help='put to the model, if it takes a question')
    lmm.add_argument('--frames', type=int, default=8, help='of a clip, in one picture')
    lmm.add_argument('--max-tokens', type=_at_least_one, default=60, help='of a sentence')
    lmm.add_argument('--seed', type=int, default=0, help='of the drawn words')
    lmm.add_argument('--device', default='cpu')
    for source in (kinematic, file, lmm):
        source.add_argument('--data', required=True, help='folder of tools/prepare_data.py')
        source.add_argument(
            '--ann', nargs='+', help='annotation files (default: all clips of DATA)'
        )
        source.add_argument('--out', help='default: DATA/sentences_<source>.json')
    for source in (kinematic, lmm):
        source.add_argument('--count', type=_at_least_one, default=8, help='sentences per clip')
    kinematic.add_argument(
        '--rate', type=_above_zero, default=30.0, help='frames per second, for --tempo'
    )
    kinematic.add_argument(
        '--no-sides', action='store_true', help='no left and right, for pipelines that mirror clips'
    )
    kinematic.add_argument(
        '--tempo',
        action='store_true',
        help='how fast and how often, for pipelines that neither cut clips nor change their speed',
    )
    file.add_argument('file', help='JSON {clip: [sentence, ...]}, or a zip archive of it')
    return parser.parse_args(argv)


def _at_least_one(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError('choose 1 or more')
    return int(text)


def _above_zero(text: str) -> float:
    if not float(text) > 0:
        raise argparse.ArgumentTypeError('choose a number above 0')
    return float(text)


def generate(args: argparse.Namespace) -> None:
    """Make sentences, report clips without one, write the file."""
    from rich.progress import track

    from mmact_ssl.datasets.skeleton_folder import open_skeleton_folder
    from mmact_ssl.errors import DataError
    from mmact_ssl.prompts.sentence_file import match_clips, read_sentences, write_sentences
    from mmact_ssl.targets.extraction import read_annotations

    folder = open_skeleton_folder(args.data, 'see docs/extend/data.md')
    names = read_annotations(args.ann) if args.ann else folder.names.tolist()
    if args.source == 'file':
        matched = match_clips(read_sentences(args.file), names)
        sentences, missing, unused = matched.sentences, matched.missing, matched.unused
        if unused:
            print(f'{len(unused)} keys of {args.file} are not clips, e.g. {unused[0]}')
    else:
        describe = kinematic(args, folder) if args.source == 'kinematic' else lmm(args, folder)
        places = folder.places()
        if unknown := [name for name in names if name not in places]:
            raise DataError(
                f'clip {unknown[0]!r} of --ann is not in {folder.path}: prepare it again'
            )
        made = {
            name: describe(name, folder.read(places[name]))
            for name in track(names, 'describing', transient=True)
        }
        sentences = {name: lines for name, lines in made.items() if lines}
        missing = [name for name in names if name not in sentences]
    if missing:
        print(f'{len(missing)} of {len(names)} clips have no sentence, e.g. {missing[0]}')
    out = Path(args.out or Path(args.data, f'sentences_{args.source}.json'))
    write_sentences(out, sentences)
    count = sum(map(len, sentences.values()))
    print(f'{out}: {count} sentences about {len(sentences)} clips')


def kinematic(
    args: argparse.Namespace, folder: SkeletonFolder
) -> Callable[[str, np.ndarray], list[str]]:
    """Return a function that describes a clip by rules."""
    from mmact_ssl.datasets.layouts import LAYOUTS
    from mmact_ssl.prompts.kinematic import describe

    layout, sides = LAYOUTS[folder.layout], not args.no_sides
    options = dict(count=args.count, rate=args.rate, sides=sides, tempo=args.tempo)
    return lambda _, keypoint: describe(keypoint, layout, **options)


def lmm(args: argparse.Namespace, folder: SkeletonFolder) -> Callable[[str, np.ndarray], list[str]]:
    """Return a function that shows frames of a clip to a vision-language model."""
    from mmact_ssl.prompts.captioner import Captioner
    from mmact_ssl.prompts.frames import frame_sheet

    captioner = Captioner(args.model, args.question, args.max_tokens, args.device)

    def describe(name: str, keypoint: np.ndarray) -> list[str]:
        sheet = frame_sheet(name, keypoint, folder.layout, args.frames, args.videos)
        return captioner.describe(sheet, args.count, args.seed)

    return describe


def main(argv: list[str] | None = None) -> None:
    """Generate sentences."""
    args = parse_args(argv)
    from mmact_ssl.errors import one_line_errors

    with one_line_errors():
        generate(args)


if __name__ == '__main__':
    main()
