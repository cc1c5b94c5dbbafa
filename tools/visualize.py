#!/usr/bin/env python
"""Draw what a pre-trained model predicts on clips that it never saw.

    python tools/visualize.py configs/csvr_r3d_demo.py work_dirs/csvr_r3d_demo/epoch_16.pth

writes ``poses.png`` (predicted, the teacher's and last observed poses over time), ``frames.png``
(generated current and future frames below the real ones), ``parts.png`` (the student's part maps
below the teacher's) and ``neighbors.png`` (which of some videos each teacher finds most like a
clip, and which the student that it guides) for the tasks that the model has. Of part maps it prints
how well they fit the teacher's, and those of the mirrored clip.

    python tools/visualize.py conflict work_dirs/hcpg_r3d_demo

writes ``conflict.png``, how the tasks' gradients agreed over a training with GradientConflictHook.

    python tools/visualize.py gallery configs/downstream/linear_gru-streams_nwucla.py CHECKPOINT \
        --clip-texts data/nwucla/targets/prompts.lmdb \
        --sentences data/nwucla/sentences_kinematic.json

writes ``gallery.png``, the test clips that sentences find after a pre-training with sentences.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the pictures of a checkpoint have in common."""
    parser.add_argument('--out', help='folder of the pictures, that of the checkpoint by default')
    parser.add_argument('--seed', type=int, default=0, help='which clips to draw')
    parser.add_argument('--data', help='prepared folder, for a config that names no data set')
    parser.add_argument('--cfg-options', nargs='+', action='extend', metavar='KEY=VALUE')


def parse_predictions(argv: list[str]) -> argparse.Namespace:
    """Read the command line of the pictures of a pre-trained model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of the pre-training')
    parser.add_argument('checkpoint', help='checkpoint that it wrote')
    parser.add_argument('--num-clips', type=int, default=4)
    parser.add_argument('--pool', type=int, default=64, help='videos that neighbors come from')
    add_common_arguments(parser)
    return parser.parse_args(argv)


def parse_conflict(argv: list[str]) -> argparse.Namespace:
    """Read the command line of the command ``conflict``."""
    parser = argparse.ArgumentParser(prog='visualize.py conflict')
    parser.add_argument('work_dirs', nargs='+', help='work dirs of trainings with the hook')
    return parser.parse_args(argv)


def parse_gallery(argv: list[str]) -> argparse.Namespace:
    """Read the command line of the command ``gallery``."""
    parser = argparse.ArgumentParser(prog='visualize.py gallery')
    parser.add_argument('config', help='downstream config of skeletons')
    parser.add_argument('checkpoint', help='of a pre-training with sentences')
    parser.add_argument('--clip-texts', required=True, metavar='CACHE', help='embedded sentences')
    parser.add_argument('--sentences', required=True, metavar='FILE', help='JSON of that cache')
    parser.add_argument('--queries', type=int, default=6, help='sentences')
    parser.add_argument('--top', type=int, default=5, help='clips that each finds')
    parser.add_argument('--frames', type=int, default=5, help='of a clip')
    add_common_arguments(parser)
    return parser.parse_args(argv)


def save(figures: dict[str, Any], args: argparse.Namespace) -> None:
    """Write figures by name into the folder of the command line, and print where."""
    folder = Path(args.out or Path(args.checkpoint).parent)
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(folder / f'{name}.png', dpi=130)
        print(folder / f'{name}.png')


def draw_model(args: argparse.Namespace) -> None:
    """Draw what a pre-trained model predicts."""
    from mmengine.registry import init_default_scope
    from mmengine.runner import load_checkpoint

    from mmact_ssl.engine.launch import read_config
    from mmact_ssl.errors import ConfigError
    from mmact_ssl.registry import MODELS
    from mmact_ssl.visualization.predictions import draw_predictions

    config = read_config(args.config, args.cfg_options, args.data)
    if 'test_dataloader' not in config:
        raise ConfigError(f'{args.config}: has no test_dataloader to take unseen clips from')
    init_default_scope('mmact_ssl')
    model = MODELS.build(config.model).eval()
    load_checkpoint(model, args.checkpoint, map_location='cpu', strict=True)
    figures, lines = draw_predictions(model, config, args.num_clips, args.pool, args.seed)
    print(*lines, sep='\n', end='\n' if lines else '')
    save(figures, args)


def draw_conflicts(args: argparse.Namespace) -> None:
    """Draw the command ``conflict``."""
    from mmact_ssl.engine.hooks.gradient_conflict_hook import FILE_NAME
    from mmact_ssl.visualization.conflict import draw_conflict, read_conflict

    for work_dir in map(Path, args.work_dirs):
        picture = work_dir / 'conflict.png'
        draw_conflict(read_conflict(work_dir / FILE_NAME), work_dir.name).savefig(picture, dpi=130)
        print(picture)


def draw_text_gallery(args: argparse.Namespace) -> None:
    """Draw the command ``gallery``."""
    from mmact_ssl.engine.launch import read_config
    from mmact_ssl.visualization.gallery import draw_gallery
    from mmact_ssl.visualization.text_gallery import text_gallery

    found = text_gallery(
        read_config(args.config, args.cfg_options, args.data),
        args.checkpoint,
        args.clip_texts,
        args.sentences,
        queries=args.queries,
        top=args.top,
        frames=args.frames,
        seed=args.seed,
    )
    save({'gallery': draw_gallery(*found)}, args)


COMMANDS = {
    'conflict': (parse_conflict, draw_conflicts),
    'gallery': (parse_gallery, draw_text_gallery),
}


def main(argv: list[str] | None = None) -> None:
    """Draw what the command line asks for."""
    argv = sys.argv[1:] if argv is None else argv
    named = argv[:1] and argv[0] in COMMANDS
    parse, draw = COMMANDS[argv[0]] if named else (parse_predictions, draw_model)
    args = parse(argv[1:] if named else argv)

    import mmact_ssl  # noqa: F401  (the fixes come before any model is imported)
    from mmact_ssl.errors import one_line_errors

    with one_line_errors():
        draw(args)


if __name__ == '__main__':
    main()
