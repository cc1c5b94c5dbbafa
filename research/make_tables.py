#!/usr/bin/env python
"""Renew the result tables of README.md and docs/, the model index and the page of the zoo.

Their sources are results/, results/zoo/ (measured on the published files) and zoo/. ``--check``
changes nothing and exits with status 1 if a file is out of date.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmact_ssl_cli import Parser

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
PAGES = (
    'README.md',
    'docs/methods/*.md',
    'docs/results.md',
    'research/pages/rivals.md',
    'research/pages/studies/*.md',
    'docs/start/few_labels.md',
    'docs/start/label.md',
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = Parser(description=__doc__)
    parser.add_argument('files', nargs='*', help='Markdown files, all by default')
    parser.add_argument(
        '--results', default=str(ROOT / 'research/results'), help='folder of the results'
    )
    parser.add_argument('--check', action='store_true', help='compare only')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    from mmact_ssl.errors import one_line_errors
    from mmact_ssl.evaluation.results import read_results
    from research.markers import update_files
    from research.model_index import results_by_config, update_model_index
    from research.zoo_page import update_zoo

    files = args.files or [file for pattern in PAGES for file in sorted(ROOT.glob(pattern))]
    with one_line_errors():
        results = read_results(args.results)
        stale = update_files(files, results, write=not args.check)
        if not args.files:
            index = ROOT / 'model-index.yml'
            by_config = results_by_config(sorted(ROOT.glob('research/studies/*.py')), results)
            stale += [index] if update_model_index(index, by_config, write=not args.check) else []
            page = ROOT / 'docs/start/model_zoo.md'
            measured = read_results(Path(args.results) / 'zoo')
            stale += update_zoo(ROOT / 'zoo', measured, page, index, not args.check)
    if args.check and stale:
        raise SystemExit(
            f'error: {", ".join(map(str, stale))}: tables do not agree with {args.results}; run '
            'python research/make_tables.py'
        )
    print(f'{len(stale)} files renewed' if not args.check else 'tables agree')


if __name__ == '__main__':
    main()
