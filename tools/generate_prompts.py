#!/usr/bin/env python
"""Make sentences about the clips of a data set, without reading a label.

    mmact-ssl prompts kinematic --data data/nwucla
    mmact-ssl prompts file pkuv2_language.zip --data data/pkummd2

Each writes ``DATA/sentences_<source>.json``, ``{clip: [sentence, ...]}``, which ``python
tools/extract_targets.py configs/teachers/minilm.py --sentences FILE`` embeds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmact_ssl_cli import Parser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = Parser(description=__doc__)
    sources = parser.add_subparsers(dest='source', required=True, metavar='SOURCE')
    kinematic = sources.add_parser('kinematic', help="from the joints' motion, by rules")
    file = sources.add_parser('file', help='from a file, matched by clip name')
    file.add_argument('file', help='JSON {clip: [sentence, ...]}, or a zip archive of it')
    for source in (kinematic, file):
        source.add_argument('--data', required=True, help='folder of tools/prepare_data.py')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Make sentences, report clips without one, write the file."""
    args = parse_args(argv)
    from rich.progress import track

    from mmact_ssl.datasets.layouts import LAYOUTS
    from mmact_ssl.datasets.skeleton_folder import open_skeleton_folder
    from mmact_ssl.errors import one_line_errors
    from mmact_ssl.prompts.kinematic import describe
    from mmact_ssl.prompts.sentence_file import match_clips, read_sentences, write_sentences

    with one_line_errors():
        folder = open_skeleton_folder(args.data, 'see docs/extend/data.md')
        names = folder.names.tolist()
        if args.source == 'file':
            sentences, missing, unused = match_clips(read_sentences(args.file), names)
            if unused:
                print(f'{len(unused)} keys of {args.file} are not clips, e.g. {unused[0]}')
        else:
            layout = LAYOUTS[folder.layout]
            made = {
                name: describe(folder.read(place), layout)
                for place, name in enumerate(track(names, 'describing', transient=True))
            }
            sentences = {name: lines for name, lines in made.items() if lines}
            missing = [name for name in names if name not in sentences]
        if missing:
            print(f'{len(missing)} of {len(names)} clips have no sentence, e.g. {missing[0]}')
        out = Path(args.data, f'sentences_{args.source}.json')
        write_sentences(out, sentences)
        count = sum(map(len, sentences.values()))
        print(f'{out}: {count} sentences about {len(sentences)} clips')


if __name__ == '__main__':
    main()
