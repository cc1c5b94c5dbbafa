"""Publish a pre-trained backbone: ``mmact-ssl publish work_dirs/x/epoch_9.pth zoo/x``.

The file, ``zoo/x-<8 digits of sha256>.safetensors``, holds the student's weights and a card:
encoder, data, licence. ``mmact_ssl.apis.load_model`` needs nothing else. If the folder has an
``index.json``, the model is added to it.

    mmact-ssl publish work_dirs/csvr_r3d_demo/epoch_16.pth zoo/csvr_r3d_demo --half \\
        --licence 'Apache-2.0; trained on generated videos'

``--format onnx`` writes the network with its pooling for onnxruntime, and the same card, compares
it with torch, and writes ``onnx_features.py`` beside it (docs/extend/without_openmmlab.md). It also
takes a published file in place of the checkpoint.

``--format pth`` writes the weights for stock mmaction2, which loads them without this package: as
``load_from`` of a config (docs/extend/migrating.md).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmact_ssl_cli import Parser

# Options of the card, which a .pth file does not have.
CARD = ('method', 'licence', 'trained_on', 'encoder', 'text_encoder', 'half')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = Parser(description=__doc__)
    parser.add_argument(
        'checkpoint', help='checkpoint of tools/train.py, or a published file or its name'
    )
    parser.add_argument('output', type=Path, help='FOLDER/NAME; hash and suffix are added')
    parser.add_argument('--format', choices=('safetensors', 'onnx', 'pth'), default='safetensors')
    parser.add_encoder_option()
    card = parser.add_argument_group('the card of a safetensors or onnx file')
    card.add_argument('--method', help="row of the tables, e.g. CSVR; from the config's name")
    card.add_argument('--licence', help='of the weights, as the training data allows')
    card.add_argument('--trained-on', help="the data; the config's data set by default")
    card.add_argument(
        '--text-encoder',
        metavar='NAME',
        help='config in configs/teachers/ that embedded the sentences of a C2VL pre-training, e.g. '
        'minilm, for search by sentences',
    )
    card.add_argument(
        '--half', action='store_true', help='store the weights as float16; of --format safetensors'
    )
    args = parser.parse_args(argv)
    of_card = [name for name in CARD if getattr(args, name)]
    if args.format == 'pth' and of_card:
        options = ', '.join('--' + name.replace('_', '-') for name in of_card)
        parser.error(f'a .pth file has no card: drop {options}')
    if args.format == 'onnx' and (args.half or args.text_encoder):
        parser.error('an .onnx file holds float32 and no text encoder: drop --half, --text-encoder')
    return args


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    from mmact_ssl.apis.pth_export import export_backbone
    from mmact_ssl.apis.publish import publish, publish_onnx
    from mmact_ssl.engine.terminal import messages_on_stderr
    from mmact_ssl.errors import one_line_errors
    from mmact_ssl.io.student_file import StudentFile

    with one_line_errors(), messages_on_stderr():
        saved = StudentFile.read(args.checkpoint)
        if args.format == 'pth':
            path = export_backbone(saved, args.output)
        else:
            options = {name: getattr(args, name) for name in CARD}
            if args.format == 'onnx':
                del options['text_encoder'], options['half']
            write = publish_onnx if args.format == 'onnx' else publish
            path = write(saved, args.output, **options)
        print(f'{path}: {path.stat().st_size / 2**20:.1f} MiB')


if __name__ == '__main__':
    main()
