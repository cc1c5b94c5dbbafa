# SPDX-License-Identifier: Apache-2.0
"""Prepare a data set: ``python tools/prepare_data.py {demo,jhmdb,utdmhad,videos} --help``."""

from __future__ import annotations

import argparse
from pathlib import Path

from mmact_ssl.datasets.preparation.files import PLACEMENTS, data_root
from mmact_ssl.errors import DataError, one_line_errors


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description='Prepare a data set.')
    sets = parser.add_subparsers(dest='name', required=True, metavar='NAME')
    root = data_root()

    demo = sets.add_parser('demo', help='generate the synthetic demo world')
    demo.add_argument('--out', type=Path, default=root / 'demo')
    demo.add_argument('--seed', type=int, default=0)
    demo.add_argument('--size', choices=('default', 'tiny'), default='default')
    demo.add_argument('--workers', type=int, default=2, help='processes')

    for name, text in (
        ('jhmdb', 'JHMDB: real video, 21 actions'),
        ('utdmhad', 'UTD-MHAD: depth video with skeletons, 27 actions'),
    ):
        real = sets.add_parser(name, help=text)
        real.add_argument('--source', type=Path, help='folder of the downloaded data set')
        real.add_argument('--out', type=Path, default=root / name)
        real.add_argument(
            '--placement',
            choices=PLACEMENTS,
            default='copy',
            help='copy the videos, or make symbolic links',
        )

    videos = sets.add_parser('videos', help='your own videos: any folder tree')
    videos.add_argument('--source', type=Path, help='folder with the videos')
    videos.add_argument('--out', type=Path, default=root / 'videos')
    videos.add_argument(
        '--labels-from-folders',
        action='store_true',
        help='the first folder below the source is the class',
    )
    videos.add_argument(
        '--test-fraction', type=float, default=0.0, help='of each class, to hold out as test.txt'
    )
    videos.add_argument('--seed', type=int, default=0, help='of the hold-out')
    videos.add_argument(
        '--placement',
        choices=PLACEMENTS,
        default='link',
        help='copy the videos, or make symbolic links',
    )
    return parser.parse_args(arguments)


def prepare(args: argparse.Namespace) -> dict[str, int]:
    """Run the preparation that ``args`` asks for.

    Raises:
        DataError: if the source is missing or of the wrong form.
    """
    options = {key: value for key, value in vars(args).items() if key != 'name'}
    if 'source' in options and args.source is None:
        raise DataError(
            f'{args.name}: no --source; give the folder of the downloaded data, '
            f'as in: python tools/prepare_data.py {args.name} '
            f'--source ~/Downloads/{args.name}'
        )
    # Imported late, so that one set's needs never stop another.
    if args.name == 'demo':
        from mmact_ssl.datasets.preparation.demo import prepare_demo

        return prepare_demo(**options)
    if args.name == 'jhmdb':
        from mmact_ssl.datasets.preparation.jhmdb import prepare_jhmdb

        return prepare_jhmdb(**options)
    if args.name == 'utdmhad':
        from mmact_ssl.datasets.preparation.utdmhad import prepare_utdmhad

        return prepare_utdmhad(**options)
    from mmact_ssl.datasets.preparation.videos import prepare_videos

    return prepare_videos(**options)


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    args = parse_args(arguments)
    with one_line_errors():
        counts = prepare(args)
    print(
        f'{args.out}: '
        + ', '.join(f'{count} {what.replace("_", " ")}' for what, count in counts.items())
    )


if __name__ == '__main__':
    main()
