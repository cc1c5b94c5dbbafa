#!/usr/bin/env python
"""Draw the predictions of a pre-trained model on held-out clips.

    python tools/visualize.py configs/csvr_r3d_demo.py work_dirs/csvr_r3d_demo/epoch_16.pth

writes, for the tasks of the model, ``overview.png`` (a row a clip: frames, poses, generated
frames), ``poses.png`` (predicted, the teacher's and last observed poses over time), ``frames.png``
(generated frames below the real ones), ``masked.png`` (what a student sees of frames or skeletons,
what it predicts, and what is real), ``parts.png`` (the student's part maps below the teacher's)
and ``neighbors.png`` (the videos nearest to a clip by each teacher and by its student, or by the
projections of a task that brings two clips of a video together).
``--animate`` writes poses and frames as ``.webp``.

    python tools/visualize.py gallery MODEL my/videos --out gallery
    python tools/visualize.py embedding MODEL my/videos --out gallery

write pages about your own clips, for any browser: ``index.html``, animated thumbnails with the
nearest clips on click, and ``embedding.html``, a map of the features. MODEL is a published file or
its name.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from mmact_ssl_cli import Parser, existing_path


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Parse the command line; one that begins with a config or an option is of ``predictions``."""
    first = argv[0] if argv else ''
    if first.endswith('.py') or (first.startswith('-') and first not in ('-h', '--help')):
        argv = ['predictions', *argv]
    parser = Parser(description=__doc__)
    commands = parser.add_subparsers(dest='command', required=True, metavar='CONFIG | COMMAND')
    predictions = commands.add_parser('predictions', help='of a pre-training; it is the default')
    predictions.add_argument('config', help='config of the pre-training')
    predictions.add_argument('checkpoint', help='checkpoint or work dir of that training')
    predictions.add_argument('--animate', action='store_true', help='animate poses and frames')
    predictions.add_argument('--out', help='folder, by default that of the checkpoint')
    predictions.add_config_options()
    gallery = commands.add_parser('gallery', help='page of your own clips, with the nearest ones')
    embedding = commands.add_parser('embedding', help='page with a map of your own clips')
    for page in (gallery, embedding):
        page.add_argument('model', help='name in the zoo, or path of a published file')
        page.add_argument('clips', nargs='+', type=existing_path, help='files or folders')
        page.add_argument('--out', default='gallery', help='folder of the pages')
        page.add_argument('--index', help='of the clips, by default clips.index in that folder')
        page.add_argument('--layout', default='', help='joint order of skeletons in arrays')
    gallery.add_argument('--text', nargs='+', default=(), help='sentences that search too')
    embedding.add_argument('--ann', type=existing_path, help='list of the clips: colors by label')
    return parser.parse_args(argv)


def save(figures: dict[str, Any], folder: Path) -> None:
    """Write figures by name to a folder, and print their paths; a list becomes an animation."""
    from mmact_ssl.visualization.clips import rasterize
    from mmact_ssl.visualization.pages import animate

    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        if isinstance(figure, list):
            path = folder / f'{name}.webp'
            path.write_bytes(animate([rasterize(step) for step in figure]))
        else:
            path = folder / f'{name}.png'
            figure.savefig(path, dpi=130)
        print(path)


def draw_model(args: argparse.Namespace) -> None:
    """Draw the predictions of a pre-trained model."""
    from mmengine.registry import init_default_scope

    from mmact_ssl.engine.launch import read_config
    from mmact_ssl.errors import ConfigError
    from mmact_ssl.registry import MODELS
    from mmact_ssl.visualization.predictions import draw_predictions
    from mmact_ssl.weights import load_trained, read_trained

    config = read_config(args.config, args.cfg_options, args.data, args.set)
    if 'test_dataloader' not in config:
        raise ConfigError(f'{args.config}: has no test_dataloader to take unseen clips from')
    checkpoint, content = read_trained(args.checkpoint)
    init_default_scope('mmact_ssl')
    model = MODELS.build(config.model).eval()
    load_trained(model, checkpoint, content)
    figures, lines = draw_predictions(model, config, animate=args.animate)
    print(*lines, sep='\n', end='\n' if lines else '')
    save(figures, Path(args.out or Path(checkpoint).parent))


def draw_page(args: argparse.Namespace) -> None:
    """Index the clips of a page, or extend an existing index, and write the page."""
    from mmact_ssl.apis.retrieval_inferencer import RetrievalInferencer
    from mmact_ssl.visualization.pages import ClipPages, group_clips

    folder = Path(args.out)
    index = args.index or folder / 'clips.index'
    pages = ClipPages(
        RetrievalInferencer(args.model, index, layout=args.layout), args.clips, folder
    )
    if args.command == 'gallery':
        print(pages.write_gallery(args.text))
    else:
        print(pages.write_embedding(group_clips(pages.clips, args.ann)))


def main(argv: list[str] | None = None) -> None:
    """Draw what the command line asks for."""
    args = parse_args(sys.argv[1:] if argv is None else argv)
    from mmact_ssl.engine.terminal import messages_on_stderr
    from mmact_ssl.errors import one_line_errors

    with one_line_errors(), messages_on_stderr():
        (draw_model if args.command == 'predictions' else draw_page)(args)


if __name__ == '__main__':
    main()
