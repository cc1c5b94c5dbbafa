#!/usr/bin/env python
"""Draw the predictions of a pre-trained model on held-out clips.

    mmact-ssl visualize configs/csvr_r3d_demo.py work_dirs/csvr_r3d_demo/epoch_16.pth

writes, for the tasks of the model, ``overview.png`` (a row a clip: frames, poses, generated
frames), ``poses.png`` (predicted, the teacher's and last observed poses over time), ``frames.png``
and ``masked.png`` (predicted and real), ``parts.png`` (the student's part maps below the teacher's)
and ``neighbors.png`` (the videos nearest to a clip).

    mmact-ssl visualize gallery MODEL my/videos --out gallery
    mmact-ssl visualize embedding MODEL my/videos --out gallery

write pages about your own clips, for any browser: ``index.html``, animated thumbnails with the
nearest clips on click, and ``embedding.html``, a map of the features. MODEL is a name in the
zoo, a published file, a checkpoint or a work dir.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmact_ssl_cli import Parser, existing_path, reading_options


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
    predictions.add_argument('--out', help='folder, by default that of the checkpoint')
    predictions.add_config_options()
    gallery = commands.add_parser('gallery', help='page of your own clips, with the nearest ones')
    embedding = commands.add_parser('embedding', help='page with a map of your own clips')
    for page in (gallery, embedding):
        page.add_argument('model', help='name in the zoo, or path of a file or work dir')
        page.add_encoder_option()
        page.add_argument('clips', nargs='+', type=existing_path, help='files or folders')
        page.add_argument('--out', default='gallery', help='folder of the pages')
        page.add_argument('--index', help='of the clips, by default clips.index in that folder')
        page.add_skeleton_options()
    gallery.add_argument('--text', nargs='+', default=(), help='sentences that search too')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(sys.argv[1:] if argv is None else argv)
    from mmact_ssl.engine.terminal import messages_on_stderr
    from mmact_ssl.errors import one_line_errors

    with one_line_errors(), messages_on_stderr():
        (draw_model if args.command == 'predictions' else draw_page)(args)


def draw_model(args: argparse.Namespace) -> None:
    """Draw the predictions of a pre-trained model."""
    from mmengine.registry import init_default_scope

    from mmact_ssl.engine.config_reading import read_config
    from mmact_ssl.errors import ConfigError
    from mmact_ssl.io.weights import load_trained, read_trained
    from mmact_ssl.registry import MODELS
    from mmact_ssl.visualization.predictions import draw_predictions

    config = read_config(args.config, args.cfg_options, args.data, args.set)
    if 'test_dataloader' not in config:
        raise ConfigError(f'{args.config}: has no test_dataloader to take unseen clips from')
    checkpoint, content = read_trained(args.checkpoint)
    init_default_scope('mmact_ssl')
    model = MODELS.build(config.model).eval()
    load_trained(model, checkpoint, content)
    figures, lines = draw_predictions(model, config)
    print(*lines, sep='\n', end='\n' if lines else '')
    folder = Path(args.out or Path(checkpoint).parent)
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        path = folder / f'{name}.png'
        figure.savefig(path, dpi=130)
        print(path)


def draw_page(args: argparse.Namespace) -> None:
    """Index the clips of a page, or extend an existing index, and write the page."""
    from mmact_ssl.apis.retrieval_inferencer import RetrievalInferencer
    from mmact_ssl.visualization.pages import ClipPages

    folder = Path(args.out)
    index = args.index or folder / 'clips.index'
    search = RetrievalInferencer(args.model, index, **reading_options(args))
    pages = ClipPages(search, args.clips, folder)
    if args.command == 'gallery':
        print(pages.write_gallery(args.text))
    else:
        print(pages.write_embedding())


if __name__ == '__main__':
    main()
