"""Run a frozen teacher over a data set and keep its targets in a cache, or import them.

    python tools/extract_targets.py configs/teachers/movenet_lightning.py --data data/jhmdb
    python tools/extract_targets.py configs/teachers/rtmo-s_coco.py --videos data/x/videos \
        --ann data/x/train.txt data/x/val.txt --out data/x/targets/pose.lmdb
    python tools/extract_targets.py import-npz data/utdmhad/poses.npz --data data/utdmhad
    python tools/extract_targets.py import-coco poses.json --ann data/x/train.txt --out CACHE
    python tools/extract_targets.py inspect CACHE
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import torch
from rich import print as rich_print

from mmact_ssl.apis.extraction import extract_targets, iterate_frames, read_annotations
from mmact_ssl.datasets.target_import import import_coco, import_npz
from mmact_ssl.datasets.targets import TargetReader
from mmact_ssl.errors import ConfigError, one_line_errors

MODES = ('import-npz', 'import-coco', 'inspect')


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Parse the command line; without a mode the first word is a teacher config."""
    if argv and argv[0] not in MODES and not argv[0].startswith('-'):
        argv = ['extract', *argv]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    modes = parser.add_subparsers(dest='mode', required=True, metavar='CONFIG | MODE')
    extract = modes.add_parser('extract', help='run a teacher (the word may be left out)')
    extract.add_argument('config', help='teacher config, e.g. configs/teachers/rtmpose-t_coco.py')
    extract.add_argument('--batch-size', type=int, default=64, help='frames at once')
    extract.add_argument('--device', help='default: the GPU of this rank if there is one')
    extract.add_argument('--max-broken', type=float, default=0.05, help='fraction of videos')
    extract.add_argument('--launcher', choices=('none', 'pytorch', 'slurm'), default='none')
    npz = modes.add_parser('import-npz', help='import a table of poses')
    coco = modes.add_parser('import-coco', help='import COCO key point JSON')
    coco.add_argument('--layout', default='coco17', help='joint order of the key points')
    for importer in (npz, coco):
        importer.add_argument('source', help='the file to import')
    for writer in (extract, npz, coco):
        writer.add_argument('--data', help='data folder, in place of --ann, --videos and --out')
        writer.add_argument('--out', help='folder of the cache (default: DATA/targets/pose.lmdb)')
        writer.add_argument('--overwrite', action='store_true', help='replace an existing cache')
        writer.add_argument(
            '--ann', nargs='+', help='annotation files (default: DATA/train.txt and DATA/test.txt)'
        )
    for decoder in (extract, coco):
        decoder.add_argument(
            '--videos', help="folder that the annotated paths start from (default: --ann's)"
        )
    inspect = modes.add_parser('inspect', help='print what a cache holds')
    inspect.add_argument('cache')
    return parser.parse_args(argv)


def fill_in_data(args: argparse.Namespace) -> None:
    """Fill in what `--data` stands for.

    Raises:
        ConfigError: Neither `--data` nor what it stands for is given.
    """
    if args.data is not None:
        train, test = (Path(args.data, f'{split}.txt') for split in ('train', 'test'))
        args.ann = args.ann or [str(path) for path in (train, test) if path.is_file()]
        args.ann = args.ann or [str(train)]  # its absence is reported like any other's
        args.out = args.out or str(Path(args.data, 'targets', 'pose.lmdb'))
    if args.out is None or (not args.ann and args.mode != 'import-npz'):
        raise ConfigError('say which videos and where to: --data DIR, or --ann FILE --out CACHE')


def run_extraction(args: argparse.Namespace) -> None:
    """Run a teacher, on one or several ranks."""
    from mmengine.dist import init_dist, is_main_process

    from mmact_ssl.models.teachers import build_teacher

    if args.launcher != 'none':
        init_dist(args.launcher, backend='nccl' if torch.cuda.is_available() else 'gloo')
    local_rank = int(os.environ.get('LOCAL_RANK', os.environ.get('SLURM_LOCALID', 0)))
    device = args.device
    if device is None:
        device = f'cuda:{local_rank}' if torch.cuda.is_available() else 'cpu'
    report = extract_targets(
        build_teacher(args.config).to(device),
        args.videos or Path(args.ann[0]).parent,
        read_annotations(args.ann),
        args.out,
        overwrite=args.overwrite,
        batch_size=args.batch_size,
        max_broken=args.max_broken,
    )
    if is_main_process():
        rate = report.frames / max(report.seconds, 1e-9)
        rich_print(
            f'{report.written} videos written, {report.skipped} were there, '
            f'{len(report.broken)} broken; {report.frames} frames in {report.seconds:.0f} s '
            f'({rate:.0f} frames/s): {args.out}'
        )


def run_import(args: argparse.Namespace) -> None:
    """Import a file of poses."""
    names = read_annotations(args.ann) if args.ann else None
    if args.mode == 'import-npz':
        written = import_npz(args.source, args.out, names, args.overwrite)
    else:
        root = Path(args.videos or Path(args.ann[0]).parent)
        lengths = {name: sum(map(len, iterate_frames(root / name, 64))) for name in names or ()}
        written = import_coco(args.source, args.out, lengths, args.layout, args.overwrite)
    rich_print(f'{written} videos written: {args.out}')


def inspect(cache: str) -> None:
    """Print a cache's meta data, size and score statistics."""
    reader = TargetReader(cache)
    keys = reader.keys()
    arrays = [reader.get(key) for key in keys]
    for name in ('kind', 'layout', 'fingerprint', 'source'):
        print(f'{name:12} {getattr(reader.meta, name)}')
    print(f'{"videos":12} {len(keys)}')
    print(f'{"frames":12} {sum(map(len, arrays))}')
    print(f'{"megabytes":12} {(Path(cache) / "data.mdb").stat().st_size / 1e6:.1f}')
    if keys:
        print(f'{"first":12} {keys[0]} {list(arrays[0].shape)} {arrays[0].dtype}')
    if keys and reader.meta.kind == 'pose':
        frames = sum(map(len, arrays))
        mean = sum(float(array[..., 2].mean(1).sum()) for array in arrays) / frames
        empty = sum(int((array[..., 2] == 0).all(1).sum()) for array in arrays)
        print(f'{"mean score":12} {mean:.3f}')
        print(f'{"empty":12} {empty} frames without any joint')


def main(argv: list[str] | None = None) -> None:
    """Run the tool; an error that the user can mend is one line."""
    args = parse_args(sys.argv[1:] if argv is None else argv)
    with one_line_errors():
        if args.mode == 'inspect':
            inspect(args.cache)
            return
        fill_in_data(args)
        if args.mode == 'extract':
            run_extraction(args)
        else:
            run_import(args)


if __name__ == '__main__':
    main()
