#!/usr/bin/env python
"""Give some clips the sentences of other clips, to measure the effect of wrong sentences.

    python research/shuffle_prompts.py FILE --fraction 0.2 --ann TRAIN.txt --out OTHER.json

FILE is JSON ``{clip: [sentence, ...]}``, as tools/generate_prompts.py writes it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from mmact_ssl.errors import ConfigError, DataError, one_line_errors
from mmact_ssl.prompts.sentence_file import read_sentences, write_sentences
from mmact_ssl.targets.extraction import read_annotations
from mmact_ssl_cli import Parser


def shuffle_sentences(
    sentences: Mapping[str, list[str]], clips: Iterable[str], fraction: float, seed: int
) -> tuple[dict[str, list[str]], list[str]]:
    """Exchange the sentences of some clips.

    The drawn clips form a circle in random order, and each gets the sentences of the next: none
    keeps its own, and no sentence is lost or doubled. Labels are not read, so the other clip may
    show the same action, as when captions are mixed up by chance.

    Args:
        clips: Clips to draw from; all others, and those without a sentence, stay as they are.
        fraction: Fraction of the clips with sentences, 0 < fraction <= 1, rounded to whole clips.
        seed: Seed of the draw; the order of ``clips`` does not matter.

    Returns:
        All sentences, with keys in their order, and the drawn clips, sorted.
    """
    known = sorted(set(clips) & set(sentences))
    if not known:
        raise DataError('no clip of --ann is a key: match them by `generate_prompts.py file`')
    count = round(fraction * len(known))
    if not 2 <= count <= len(known):
        raise ConfigError(f'--fraction {fraction} is {count} of {len(known)} clips: give another')
    circle = [known[i] for i in np.random.default_rng(seed).permutation(len(known))[:count]]
    giver = dict(zip(circle, [*circle[1:], circle[0]]))
    return {name: list(sentences[giver.get(name, name)]) for name in sentences}, sorted(circle)


def main(argv: list[str] | None = None) -> None:
    parser = Parser(description=__doc__)
    parser.add_argument('file', help='JSON {clip: [sentence, ...]}, or a zip archive of it')
    parser.add_argument('--fraction', type=float, required=True, help='of the clips of --ann')
    parser.add_argument('--seed', type=int, default=0, help='of the drawn clips and their order')
    parser.add_argument(
        '--ann', nargs='+', required=True, help='annotation files; other clips keep theirs'
    )
    parser.add_argument('--out', dest='target', required=True, help='JSON file to write')
    args = parser.parse_args(argv)
    with one_line_errors():
        names = read_annotations(args.ann)
        sentences = read_sentences(args.file)
        shuffled, drawn = shuffle_sentences(sentences, names, args.fraction, args.seed)
        write_sentences(args.target, shuffled)
        print(f'{args.target}: {len(drawn)} of {len(names)} clips have the sentences of another')


if __name__ == '__main__':
    main()
