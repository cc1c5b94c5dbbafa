#!/usr/bin/env python
"""Copy published models: ``mmact-ssl download 'csvr*' --dest models``.

Models that do not come with the package are downloaded from ``$MMACT_SSL_ZOO``.
"""

from __future__ import annotations

import argparse

from mmact_ssl_cli import Parser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = Parser(description=__doc__)
    parser.add_argument('names', nargs='*', metavar='NAME', help='or a pattern; none: list all')
    parser.add_argument('--dest', default='.', help='folder; the working folder by default')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    from mmact_ssl.errors import one_line_errors
    from mmact_ssl.io.student_file import StudentFile
    from mmact_ssl.io.zoo import download_model, list_models

    with one_line_errors():
        if not args.names:
            print('\n'.join(list_models()))
        for pattern in args.names:
            for name in list_models(pattern) or [pattern]:
                path = download_model(name, args.dest)
                record = StudentFile.read(path).record
                print(f'{path}: trained on {record["trained_on"]}; {record["licence"]}')


if __name__ == '__main__':
    main()
