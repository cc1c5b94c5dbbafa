"""Run frozen teachers over a data set and store their targets in caches, or import targets.

    mmact-ssl extract CONFIG CONFIG ... --data data/jhmdb [--every 4]
    mmact-ssl extract import-npz data/utdmhad/poses.npz --data data/utdmhad
    mmact-ssl extract draw-parts data/jhmdb/targets/pose.lmdb --data data/jhmdb

A call goes on where an earlier one ended, and extracts videos again whose files have changed since.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Any

from mmact_ssl_cli import Parser

MODES = ('extract', 'import-npz', 'draw-parts')
PATIENCE = 24 * 3600  # seconds that a rank waits for the others


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Parse the command line; without a mode the first words are teacher configs."""
    if argv and argv[0] not in MODES and not argv[0].startswith('-'):
        argv = ['extract', *argv]
    parser = Parser(description=__doc__)
    modes = parser.add_subparsers(dest='mode', required=True, metavar='CONFIG | MODE')
    extract = modes.add_parser('extract', help='run teachers (the word may be left out)')
    extract.add_argument(
        'configs',
        nargs='+',
        help='teacher configs, e.g. configs/teachers/rtmpose-t_coco.py; or hf:FOLDER, a network of '
        'transformers',
    )
    extract.add_argument(
        '--sentences', help='JSON {video or clip: [sentence, ...]} for a teacher that reads text'
    )
    extract.add_argument(
        '--every', type=int, default=1, help='run the teachers on one of so many frames'
    )
    extract.add_argument(
        '--workers', type=int, help='processes (default: all cores, at most 8 on a GPU)'
    )
    extract.add_argument(
        '--launcher',
        choices=('none', 'pytorch', 'slurm'),
        default='pytorch' if 'TORCHELASTIC_RUN_ID' in os.environ else 'none',
        help='default: pytorch under torchrun, else none',
    )
    extract.add_argument('--data', help='data folder, in place of --ann, --videos and --out')
    extract.add_argument(
        '--ann', nargs='+', help='annotation files (default: DATA/train.txt and DATA/test.txt)'
    )
    extract.add_argument(
        '--out', help='folder of the cache (default: DATA/targets/NAME.lmdb, see the docs)'
    )
    npz = modes.add_parser('import-npz', help='import a table of poses')
    parts = modes.add_parser('draw-parts', help='draw part maps from a cache of poses')
    for importer in (npz, parts):
        importer.add_argument('source', help='the file or cache to read')
        importer.add_argument('--data', type=Path, required=True, help='data folder')
    for decoder in (extract, parts):
        decoder.add_argument(
            '--videos', help="folder that the videos' paths start from (default: --ann's, or DATA)"
        )
    for writer in (extract, npz, parts):
        writer.add_argument('--overwrite', action='store_true', help='replace an existing cache')
    return parser.parse_args(argv)


def lists_of(data: str | Path) -> list[str]:
    """Annotation files of a data folder; a missing train.txt raises the usual error later."""
    train, test = (Path(data, f'{split}.txt') for split in ('train', 'test'))
    return [str(path) for path in (train, test) if path.is_file() or path is train]


def fill_in_data(args: argparse.Namespace) -> None:
    """Fill in the annotation files of ``--data``, and check that the options fit together."""
    from mmact_ssl.errors import ConfigError

    if args.data is not None:
        args.ann = args.ann or lists_of(args.data)
    if (args.out is None and args.data is None) or not (args.sentences or args.ann):
        raise ConfigError('give videos and a cache: --data DIR, or --ann FILE --out CACHE')
    if args.sentences and len(args.configs) > 1:
        raise ConfigError('--sentences are read by one teacher at a time: give one config')


def cache_paths(args: argparse.Namespace, kinds: list[str]) -> list[Path]:
    """Name the cache of each teacher: pose for the only one of poses, video for hf:, its config."""
    if args.out is not None:
        return [Path(args.out)] * len(kinds)
    only_pose = kinds.count('pose') == 1
    names = [
        'pose' if kind == 'pose' and only_pose else Path(re.sub('^hf:.*', 'video', config)).stem
        for kind, config in zip(kinds, args.configs)
    ]
    return [Path(args.data, 'targets', f'{name}.lmdb') for name in names]


def run_extraction(args: argparse.Namespace) -> None:
    """Run teachers, on one or several ranks."""
    import torch
    from mmengine.dist import init_dist, is_main_process

    from mmact_ssl.engine.launch import join_launcher, keep_freed_memory
    from mmact_ssl.io.weights import local_rank
    from mmact_ssl.models.teachers import build_teacher
    from mmact_ssl.prompts.sentence_file import read_sentences
    from mmact_ssl.targets import extraction

    keep_freed_memory()
    if args.launcher != 'none':
        join_launcher(args.launcher)
        # Ranks exchange little, and wait hours for the slowest.
        init_dist(args.launcher, backend='gloo', timeout=PATIENCE)
    device = f'cuda:{local_rank()}' if torch.cuda.is_available() else 'cpu'
    cores = len(os.sched_getaffinity(0)) // int(os.environ.get('LOCAL_WORLD_SIZE', 1))
    workers = args.workers or max(1, cores if device == 'cpu' else min(cores, 8))
    if 'OMP_NUM_THREADS' not in os.environ:
        torch.set_num_threads(max(1, cores))
    read = read_sentences if args.sentences else extraction.read_annotations
    inputs = read(args.sentences or args.ann)
    teachers = [build_teacher(config).to(device) for config in args.configs]
    paths = cache_paths(args, [teacher.kind for teacher in teachers])
    if args.sentences:
        units = 'keys', 'sentences'
        report = extraction.extract_sentences(teachers[0], inputs, paths[0], args.overwrite)
    else:
        units = 'videos', 'frames'
        root = args.videos or Path(args.ann[0]).parent
        jobs = [
            extraction.ExtractionJob(teacher, path, args.every, config)
            for teacher, path, config in zip(teachers, paths, args.configs)
        ]
        options = dict(overwrite=args.overwrite, workers=workers, prepare_process=keep_freed_memory)
        report = extraction.extract_many(jobs, root, inputs, **options)
    if is_main_process():
        print_report(report, paths, *units)


def print_report(report: Any, paths: list[Path], keys: str, parts: str) -> None:
    """Print what an extraction has written into its caches, and what is doubtful there."""
    from mmact_ssl.targets.broken_videos import broken_listing
    from mmact_ssl.targets.target_cache_hook import doubtful_poses

    anew = f' ({report.renewed} had changed)' if report.renewed else ''
    gone = f', {report.removed} removed that the file lacks' if report.removed else ''
    print(
        f'{report.written} {keys} written{anew}, {report.skipped} were there{gone}, '
        f'{len(report.broken)} broken; {report.frames} {parts} in {report.seconds:.0f} s '
        f'({report.frames / max(report.seconds, 1e-9):.0f} {parts}/s): {", ".join(map(str, paths))}'
    )
    for name, reason in list(report.broken.items())[:1]:
        print(f'warning: {name}: {reason}; all without targets: {broken_listing(paths[0])}')
    for doubt in filter(None, map(doubtful_poses, paths)):
        print(doubt)


def import_poses(args: argparse.Namespace) -> None:
    """Import a table of poses, or draw part maps of all videos in a cache of poses."""
    from mmact_ssl.targets.extraction import read_annotations
    from mmact_ssl.targets.importers import import_npz
    from mmact_ssl.targets.part_maps import draw_parts

    if args.mode == 'import-npz':
        out = args.data / 'targets' / 'pose.lmdb'
        names = read_annotations(lists_of(args.data))
        written = import_npz(args.source, out, names, args.overwrite)
    else:
        out = args.data / 'targets' / 'pose_parts.lmdb'
        written = draw_parts(args.source, out, args.videos or args.data, args.overwrite)
    print(f'{written} videos written: {out}')


def main(argv: list[str] | None = None) -> None:
    args = parse_args(sys.argv[1:] if argv is None else argv)
    from mmact_ssl.engine.terminal import messages_on_stderr
    from mmact_ssl.errors import one_line_errors

    with one_line_errors(), messages_on_stderr():
        if args.mode == 'extract':
            fill_in_data(args)
            run_extraction(args)
        else:
            import_poses(args)


if __name__ == '__main__':
    main()
