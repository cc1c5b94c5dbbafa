#!/usr/bin/env python
"""Find the clips most like a clip: ``mmact-ssl search MODEL my/videos --query a.mp4``.

MODEL is a name in the zoo, a published file, a checkpoint or a work dir. The index keeps the
features of ``my/videos``: the next search embeds only what is new or has changed. Without
``my/videos`` the index is searched as it is, and without a query it is only brought up to date. A
query may be a sentence, ``--text``, if the model reads sentences.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from mmact_ssl_cli import Parser, existing_path, reading_options


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = Parser(description=__doc__)
    parser.add_argument('model', help='name in the zoo, or path of a file or work dir')
    parser.add_argument(
        'clips', nargs='*', type=existing_path, help='videos or skeleton files, or folders of them'
    )
    parser.add_encoder_option()
    queries = parser.add_mutually_exclusive_group()
    queries.add_argument('--query', nargs='+', type=existing_path, metavar='CLIP')
    queries.add_argument('--text', nargs='+', metavar='SENTENCE')
    parser.add_argument('--top', type=int, default=5, help='hits of a query')
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    parser.add_argument('--index', default='clips.index', help='folder of the features')
    parser.add_skeleton_options()
    args = parser.parse_args(argv)
    if not (args.clips or args.query or args.text):
        parser.error('name clips for the index, a --query or a --text')
    return args


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    from mmact_ssl.apis.retrieval_inferencer import RetrievalInferencer
    from mmact_ssl.engine.terminal import messages_on_stderr
    from mmact_ssl.errors import one_line_errors

    with one_line_errors(), messages_on_stderr():
        search = RetrievalInferencer(
            args.model,
            args.index,
            **reading_options(args),
            show_progress=sys.stdout.isatty() and not args.json,  # the bar goes to stdout
        )
        report: dict[str, Any] = {}
        if args.clips:
            report['index'] = search.add(args.clips)
        if args.query or args.text:
            report |= search(args.query, args.top, args.text)
        if args.json:
            print(json.dumps(report))
            return
        if counts := report.get('index'):
            del counts['broken']  # the inferencer has named them
            print(
                ', '.join(f'{number} {state}' for state, number in counts.items()), file=sys.stderr
            )
        for query, hits in zip(report.get('queries', ()), report.get('hits', ())):
            print(query)
            for hit in hits:
                print(f'{hit["similarity"]:7.3f}  {hit["name"]}')


if __name__ == '__main__':
    main()
