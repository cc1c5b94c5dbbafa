"""Run frozen teachers over a data set and store their targets in caches, or import targets.

    python tools/extract_targets.py configs/teachers/movenet_lightning.py --data data/jhmdb
    python tools/extract_targets.py CONFIG CONFIG ... --data data/jhmdb [--every 4]
    torchrun --nproc_per_node 8 tools/extract_targets.py CONFIG ... --data data/jhmdb
    python tools/extract_targets.py configs/teachers/rtmo-s_coco.py --videos data/x/videos \
        --ann data/x/train.txt data/x/val.txt --out data/x/targets/pose.lmdb
    python tools/extract_targets.py CONFIG --sentences data/x/sentences.json --data data/x
    python tools/extract_targets.py import-npz data/utdmhad/poses.npz --data data/utdmhad
    python tools/extract_targets.py draw-parts data/jhmdb/targets/pose.lmdb --data data/jhmdb
    python tools/extract_targets.py inspect CACHE [--verify [--drop-damaged]]

A call goes on where an earlier one ended, and extracts videos again whose files have changed since.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from mmact_ssl_cli import Parser

MODES = ('import-npz', 'draw-parts', 'inspect')
# As in mmact_ssl.targets.meta, which --help does not import.
MAP_DTYPES = ('float32', 'float16', 'uint8')
EMBEDDING_DTYPES = ('float32', 'float16', 'int8')
PATIENCE = 30 * 24 * 3600  # seconds that a rank waits for the others


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Parse the command line; without a mode the first words are teacher configs."""
    if argv and argv[0] not in MODES and not argv[0].startswith('-'):
        argv = ['extract', *argv]
    parser = Parser(description=__doc__)
    modes = parser.add_subparsers(dest='mode', required=True, metavar='CONFIG | MODE')
    extract = modes.add_parser('extract', help='run teachers (the word may be left out)')
    extract.add_argument(
        'configs', nargs='+', help='teacher configs, e.g. configs/teachers/rtmpose-t_coco.py'
    )
    extract.add_argument(
        '--sentences', help='JSON {video or class: [sentence, ...]} for a teacher that reads text'
    )
    extract.add_argument('--batch-size', type=int, default=64, help='frames at once')
    extract.add_argument(
        '--every',
        type=int,
        metavar='N',
        help='run the teachers on one of N frames, not on all; interpolate the others or take the '
        'nearest',
    )
    extract.add_argument(
        '--workers', type=int, help='processes (default: all cores, at most 8 on a GPU)'
    )
    extract.add_argument('--device', help='default: the GPU of this rank if there is one')
    extract.add_argument(
        '--max-broken', type=float, default=0.05, help='fraction of videos; one is always allowed'
    )
    extract.add_argument(
        '--launcher',
        choices=('none', 'pytorch', 'slurm'),
        default='pytorch' if 'TORCHELASTIC_RUN_ID' in os.environ else 'none',
        help='default: pytorch under torchrun, else none',
    )
    npz = modes.add_parser('import-npz', help='import a table of poses, embeddings or part maps')
    parts = modes.add_parser('draw-parts', help='draw part maps from a cache of poses')
    parts.add_argument('--map-size', type=int, default=64, help='side of the maps')
    for importer in (npz, parts):
        importer.add_argument('source', help='the file, folder or cache to read')
    for writer in (extract, npz, parts):
        writer.add_argument('--data', help='data folder, in place of --ann, --videos and --out')
        writer.add_argument(
            '--out', help='folder of the cache (default: DATA/targets/NAME.lmdb, see the docs)'
        )
        writer.add_argument('--overwrite', action='store_true', help='replace an existing cache')
    for lister in (extract, npz):
        lister.add_argument(
            '--ann', nargs='+', help='annotation files (default: DATA/train.txt and DATA/test.txt)'
        )
    for decoder in (extract, parts):
        decoder.add_argument(
            '--videos', help="folder that the videos' paths start from (default: --ann's, or DATA)"
        )
    for storer in (extract, npz, parts):
        storer.add_argument(
            '--map-dtype', choices=MAP_DTYPES, default='float32', help='how maps are stored'
        )
    for storer in (extract, npz):
        storer.add_argument(
            '--embedding-dtype',
            choices=EMBEDDING_DTYPES,
            default='float32',
            help="how embeddings, of text too, are stored; int8: in 1/127 of a row's largest value",
        )
    inspect = modes.add_parser('inspect', help='describe a cache')
    inspect.add_argument('cache')
    inspect.add_argument('--verify', action='store_true', help='read and list damaged entries')
    inspect.add_argument('--drop-damaged', action='store_true', help='remove damaged entries')
    args = parser.parse_args(argv)
    for option in ('every', 'batch_size') if args.mode == 'extract' else ():
        value = getattr(args, option)
        if value is not None and value < 1:
            parser.error(f'--{option.replace("_", "-")}: give 1 or more')
    if args.mode == 'inspect' and args.drop_damaged and not args.verify:
        parser.error('--drop-damaged needs --verify')
    return args


def fill_in_data(args: argparse.Namespace) -> None:
    """Fill in the annotation files of ``--data``.

    Raises:
        ConfigError: Neither ``--data`` nor the options in its place are given, or ``--sentences``
            comes with options for videos.
    """
    from mmact_ssl.errors import ConfigError

    sentences = getattr(args, 'sentences', None)
    for_videos = ('ann', 'videos', 'every', 'workers')
    ignored = [f'--{name}' for name in for_videos if getattr(args, name, None) is not None]
    if sentences and ignored:
        raise ConfigError(
            f'{" and ".join(ignored)} cannot go with --sentences, which embeds its whole file: '
            'leave them out'
        )
    if args.data is not None and not sentences and not args.ann:
        train, test = (Path(args.data, f'{split}.txt') for split in ('train', 'test'))
        # A missing train.txt raises the usual error later.
        args.ann = [str(path) for path in (train, test) if path.is_file() or path is train]
    needs_videos = args.mode == 'extract' and not sentences
    if (args.out is None and args.data is None) or (needs_videos and not args.ann):
        raise ConfigError('give videos and a cache: --data DIR, or --ann FILE --out CACHE')


def cache_paths(args: argparse.Namespace, kinds: list[str]) -> list[Path]:
    """Name the cache of each teacher: ``pose.lmdb`` for the only pose teacher, else its config.

    Raises:
        ConfigError: ``--out`` is given for several teachers.
    """
    from mmact_ssl.errors import ConfigError

    if args.out is not None:
        if len(kinds) > 1:
            raise ConfigError('--out names one cache: give several teachers --data instead')
        return [Path(args.out)]
    only_pose = kinds.count('pose') == 1
    names = [
        'pose' if kind == 'pose' and only_pose else Path(config).stem
        for kind, config in zip(kinds, args.configs)
    ]
    return [Path(args.data, 'targets', f'{name}.lmdb') for name in names]


def dtypes(args: argparse.Namespace) -> dict[str, str]:
    """Types of the stored values, by kind of target."""
    return {'map': args.map_dtype, 'embedding': args.embedding_dtype, 'text': args.embedding_dtype}


def run_extraction(args: argparse.Namespace) -> None:
    """Run teachers, on one or several ranks."""
    import torch
    from mmengine.dist import init_dist, is_main_process

    from mmact_ssl.engine.device import find_device
    from mmact_ssl.engine.launch import join_launcher, keep_freed_memory
    from mmact_ssl.errors import ConfigError
    from mmact_ssl.models.teachers import build_teacher
    from mmact_ssl.prompts.sentence_file import read_sentences
    from mmact_ssl.targets import extraction
    from mmact_ssl.targets.broken_videos import broken_listing
    from mmact_ssl.targets.inspection import doubtful_poses
    from mmact_ssl.weights import local_rank

    gpu = torch.cuda.is_available()
    keep_freed_memory()
    join_launcher(args.launcher)
    if args.launcher != 'none':
        # Ranks exchange little, and wait hours for the slowest.
        init_dist(args.launcher, backend='gloo', timeout=PATIENCE)
    device = find_device(args.device or (f'cuda:{local_rank()}' if gpu else 'cpu'))
    cores = len(os.sched_getaffinity(0)) // int(os.environ.get('LOCAL_WORLD_SIZE', 1))
    workers = args.workers or max(1, cores if device == 'cpu' else min(cores, 8))
    if 'OMP_NUM_THREADS' not in os.environ:
        torch.set_num_threads(max(1, cores))
    sentences = read_sentences(args.sentences) if args.sentences else None
    names = [] if sentences is not None else extraction.read_annotations(args.ann)
    teachers = [build_teacher(config).to(device) for config in args.configs]
    paths = cache_paths(args, [teacher.kind for teacher in teachers])
    stored = [dtypes(args).get(teacher.kind, 'float32') for teacher in teachers]
    if sentences is None:
        report = extraction.extract_many(
            [
                extraction.ExtractionJob(*job, args.every or 1, config)
                for *job, config in zip(teachers, paths, stored, args.configs)
            ],
            args.videos or Path(args.ann[0]).parent,
            names,
            overwrite=args.overwrite,
            batch_size=args.batch_size,
            max_broken=args.max_broken,
            workers=workers,
            prepare_process=keep_freed_memory,
        )
    elif len(teachers) > 1:
        raise ConfigError('--sentences are read by one teacher at a time: give one config')
    else:
        report = extraction.extract_sentences(
            teachers[0], sentences, paths[0], stored[0], args.overwrite
        )
    if is_main_process():
        what, parts = ('videos', 'frames') if sentences is None else ('keys', 'sentences')
        anew = f' ({report.renewed} had changed)' if report.renewed else ''
        gone = f', {report.removed} removed that the file lacks' if report.removed else ''
        print(
            f'{report.written} {what} written{anew}, {report.skipped} were there{gone}, '
            f'{len(report.broken)} broken; {report.frames} {parts} in {report.seconds:.0f} s '
            f'({report.frames / max(report.seconds, 1e-9):.0f} {parts}/s): '
            f'{", ".join(map(str, paths))}'
        )
        if report.broken:
            name, reason = next(iter(report.broken.items()))
            print(f'warning: {name}: {reason}; all without targets: {broken_listing(paths[0])}')
        for path in paths:
            if doubt := doubtful_poses(path):
                print(doubt)


def run_import(args: argparse.Namespace) -> None:
    """Import a table of targets."""
    from mmact_ssl.targets.extraction import read_annotations
    from mmact_ssl.targets.importers import import_npz, npz_kind

    names = read_annotations(args.ann) if args.ann else None
    name = 'pose' if npz_kind(args.source) == 'pose' else Path(args.source).stem
    out = args.out or str(Path(args.data, 'targets', f'{name}.lmdb'))
    written = import_npz(args.source, out, names, args.overwrite, dtypes(args))
    print(f'{written} videos written: {out}')


def run_drawing(args: argparse.Namespace) -> None:
    """Draw part maps of all videos in a cache of poses."""
    from mmact_ssl.errors import ConfigError
    from mmact_ssl.targets.part_maps import draw_parts

    if args.data is None and (args.out is None or args.videos is None):
        raise ConfigError('give videos and a cache: --data DIR, or --videos and --out')
    root = args.videos or args.data
    out = args.out or str(Path(args.data, 'targets', 'pose_parts.lmdb'))
    written = draw_parts(args.source, out, root, args.map_size, args.map_dtype, args.overwrite)
    print(f'{written} videos written: {out}')


def inspect(args: argparse.Namespace) -> None:
    """Describe a cache; end with exit status 1 if an entry is damaged."""
    from mmact_ssl.targets.cache import TargetWriter, read_meta
    from mmact_ssl.targets.inspection import inspect_cache

    rows, damaged = inspect_cache(args.cache, args.verify)
    for label, text in rows.items():
        print(f'{label:16} {text}'.rstrip())
    for key, reason in damaged.items():
        print(f'damaged: {key}: {reason}')
    if not damaged:
        if args.verify:
            print('verified: every entry is whole')
        return
    if args.drop_damaged:
        with TargetWriter(args.cache, read_meta(args.cache)) as writer:
            writer.remove(list(damaged))
        print(f'{len(damaged)} entries removed: run the extraction again to make them')
    else:
        print(f'{len(damaged)} entries are damaged: remove them with --drop-damaged and')
        print('run the extraction again, or make the cache again with --overwrite')
    raise SystemExit(1)


def main(argv: list[str] | None = None) -> None:
    """Run the mode of the command line."""
    args = parse_args(sys.argv[1:] if argv is None else argv)
    from mmact_ssl.errors import one_line_errors

    with one_line_errors():
        if args.mode == 'inspect':
            inspect(args)
        elif args.mode == 'draw-parts':
            run_drawing(args)
        elif args.mode == 'extract':
            fill_in_data(args)
            run_extraction(args)
        else:
            fill_in_data(args)
            run_import(args)


if __name__ == '__main__':
    main()
