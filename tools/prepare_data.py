"""Prepare a data set: ``python tools/prepare_data.py --help`` lists them."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.errors import DataError, one_line_errors
from mmact_ssl.preparation.files import PLACEMENTS, data_root

# Module of mmact_ssl.preparation, and its function.
PREPARATIONS = {
    'demo': ('demo', 'prepare_demo'),
    'jhmdb': ('jhmdb', 'prepare_jhmdb'),
    'utdmhad': ('utdmhad', 'prepare_utdmhad'),
    'videos': ('videos', 'prepare_videos'),
    'nwucla': ('nwucla', 'prepare_nwucla'),
    'ntu60': ('ntu', 'prepare_ntu60'),
    'ntu120': ('ntu', 'prepare_ntu120'),
    'pkummd1': ('pkummd', 'prepare_pkummd1'),
    'pkummd2': ('pkummd', 'prepare_pkummd2'),
    'custom': ('custom', 'prepare_custom'),
    'pose-pickle': ('pose_pickles', 'prepare_pose_pickle'),
}


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

    for name, text in (
        ('nwucla', 'NW-UCLA: skeletons from three views, 10 actions'),
        ('ntu60', 'NTU RGB+D: skeletons, 60 actions'),
        ('ntu120', 'NTU RGB+D 120: skeletons, 120 actions'),
        ('pkummd1', 'PKU-MMD phase I: skeletons of long videos, cut into 51 actions'),
        ('pkummd2', 'PKU-MMD phase II: the same, harder'),
    ):
        skeletons = sets.add_parser(name, help=text)
        skeletons.add_argument('--source', type=Path, help='folder of the downloaded data set')
        skeletons.add_argument('--out', type=Path, default=root / name)
        if name.startswith('ntu'):
            skeletons.add_argument(
                '--missing', type=Path, help="the authors' list of samples without a whole skeleton"
            )

    custom = sets.add_parser('custom', help='your own skeletons: one npz file')
    pickled = sets.add_parser('pose-pickle', help='an annotation pickle of pyskl or mmaction2')
    for own, what in ((custom, 'npz file'), (pickled, 'pickle')):
        own.add_argument('--source', type=Path, help=f'the {what}')
        own.add_argument('--out', type=Path, required=True)
        own.add_argument('--layout', choices=tuple(LAYOUTS), required=True, help='joint order')
    custom.add_argument('--unit', default='meters', help='of the coordinates')
    custom.add_argument(
        '--train-subjects', type=int, nargs='+', help='split by the array subjects of the file'
    )
    custom.add_argument(
        '--left-handed',
        action='store_true',
        help='the coordinates are, as x right, y up, z depth or those of Unity: negate z',
    )
    pickled.add_argument('--persons', type=int, default=2, help='to keep, those that move most')

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
    module, function = PREPARATIONS[args.name]
    module = importlib.import_module(f'mmact_ssl.preparation.{module}')
    return getattr(module, function)(**options)


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
