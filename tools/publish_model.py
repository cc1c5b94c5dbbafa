"""Publish a pre-trained backbone: ``python tools/publish_model.py work_dirs/x/epoch_9.pth zoo/x``.

The file, ``zoo/x-<8 digits of sha256>.safetensors``, holds the student's weights and a card:
network, transforms, data, licence, results. ``mmact_ssl.apis.load_model`` needs nothing else. If
the folder has an ``index.json``, the model is added to it.

    python tools/publish_model.py work_dirs/csvr_r3d_demo/epoch_16.pth zoo/csvr_r3d_demo --half \\
        --results results --licence 'Apache-2.0; trained on generated videos'

A published file in place of the checkpoint is written again: the same weights, with a card of this
version and the figures of ``--results`` that were measured with that file.

``--format onnx`` writes the network with its pooling for onnxruntime, and the same card, and
compares it with torch (docs/start/without_openmmlab.md). Give a checkpoint or a published file.

``--format pth`` writes the weights for stock mmaction2, which loads them without this package: as
``load_from`` of a config, or, with ``--strip-prefix``, as the ``pretrained`` of its backbone with
``pretrained2d=False`` (there ResNet3d does not read ``init_cfg``). mmaction2's decord decodes some
files differently; ``mmact_ssl.ReadVideo`` and ``mmact_ssl.DecodeFrames`` in its pipelines give the
frames of the training.
"""

from __future__ import annotations

import argparse
import hashlib
import io
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmact_ssl.saved_run import SavedRun

ROOT = Path(__file__).resolve().parents[1]
# Options of the card, which a .pth file does not have.
CARD = (
    *('results', 'variant', 'licence', 'trained_on'),
    *('method', 'downstream', 'text_encoder', 'half'),
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'checkpoint', type=Path, help='checkpoint of tools/train.py, or a published file'
    )
    parser.add_argument('output', type=Path, help='FOLDER/NAME; hash and suffix are added')
    parser.add_argument(
        '--format', choices=('safetensors', 'onnx', 'pth'), help='safetensors by default'
    )
    card = parser.add_argument_group('the card of a safetensors or onnx file')
    card.add_argument(
        '--results', nargs='+', default=(), metavar='DIR', help='folders with its results'
    )
    card.add_argument('--variant', help="of the results; 'full' by default")
    card.add_argument('--licence', help='of the weights, as the training data allows')
    card.add_argument('--trained-on', help="the data; the config's data set by default")
    card.add_argument('--method', help='row of the tables; that of the results by default')
    card.add_argument('--downstream', metavar='CONFIG', help='config that evaluates it')
    card.add_argument(
        '--text-encoder',
        metavar='NAME',
        help='config in configs/teachers/ that embedded the sentences of a C2VL pre-training, e.g. '
        'minilm, for search by sentences',
    )
    card.add_argument(
        '--half', action='store_true', help='store the weights as float16; of --format safetensors'
    )
    parser.add_argument(
        '--strip-prefix',
        action='store_true',
        help='name the weights as the backbone does, without "backbone."; of --format pth',
    )
    parser.add_argument(
        '--classifier',
        action='store_true',
        help='export the classifier of joint training as "cls_head." too, a whole recognizer; of '
        '--format pth',
    )
    parser.add_argument(
        '--adapters',
        nargs='+',
        default=(),
        metavar='NAME',
        help="export these tasks' adapters too, for a config with mmact_ssl.AdaptedBackbone",
    )
    args = parser.parse_args(argv)
    if args.format is None:
        args.format = 'pth' if args.strip_prefix or args.classifier else 'safetensors'
    elif args.format != 'pth' and (args.strip_prefix or args.classifier):
        parser.error('--strip-prefix and --classifier are of --format pth')
    of_card = [name for name in CARD if getattr(args, name)]
    if args.format == 'pth' and of_card:
        options = ', '.join('--' + name.replace('_', '-') for name in of_card)
        parser.error(f'a .pth file has no card: drop {options}')
    if args.format == 'onnx' and (args.half or args.text_encoder):
        parser.error('an .onnx file holds float32 and no text encoder: drop --half, --text-encoder')
    args.variant = args.variant or 'full'
    return args


def publish_onnx(args: argparse.Namespace, saved: SavedRun) -> Path:
    """Publish to a temporary file, and export that to ONNX."""
    from mmact_ssl.apis.load import load_file
    from mmact_ssl.apis.onnx_export import export_onnx

    output = args.output
    with TemporaryDirectory() as folder:
        args.output = Path(folder, output.name)
        return export_onnx(load_file(publish(args, saved)), output.parent)


def publish(args: argparse.Namespace, saved: SavedRun) -> Path:
    """Write the file with its card, and add it to the folder's index, if any."""
    from mmact_ssl.apis.publish import (
        card_of_checkpoint,
        figures_of,
        renew_model,
        text_part,
        write_model,
    )
    from mmact_ssl.errors import CheckpointError, ConfigError
    from mmact_ssl.evaluation.results import read_results

    weights, sha256 = backbone_weights(saved, adapters=args.adapters), saved.sha256
    results = [result for folder in args.results for result in read_results(folder)]
    own = [result for result in results if result.checkpoint_hash == sha256]
    if args.results and not own:
        raise CheckpointError(
            f'{saved.path}: no results in {", ".join(args.results)} are of this file (sha256 '
            f'{sha256[:12]}...): evaluate it by tools/evaluate.py --out'
        )
    if saved.path.endswith('.safetensors'):
        if args.half or args.downstream or args.text_encoder or args.adapters:
            raise ConfigError(
                f'{saved.path}: is published, and keeps its weights and parts: give '
                '--half, --downstream, --text-encoder and --adapters with its training checkpoint'
            )
        fields = dict(licence=args.licence, method=args.method, trained_on=args.trained_on)
        changes = {'name': args.output.name, **{k: v for k, v in fields.items() if v}}
        path = renew_model(saved, args.output.parent, own, args.variant, **changes)
        return enter(path, changes['name'])
    if args.adapters and not args.downstream:
        raise ConfigError('--adapters: give --downstream configs/downstream/r3d18-*adapted.py')
    card = card_of_checkpoint(
        saved,
        downstream=args.downstream,
        name=args.output.name,
        method=args.method or (own[0].method if own else ''),
        licence=args.licence or '',
        trained_on=args.trained_on or '',
    )
    if own and not figures_of(own, sha256, card, args.variant):
        kinds = sorted({f'{r.label} ({r.backbone}, {r.protocol})' for r in own})
        raise ConfigError(
            f'{saved.path}: a card takes results of {card.backbone_name}, the variant '
            f'{args.variant!r}, without transfer, and there are {", ".join(kinds)}: give --variant '
            'or leave --results out'
        )
    if args.text_encoder:
        projectors, fields = text_part(saved, args.text_encoder)
        weights, card = {**weights, **projectors}, replace(card, **fields)
    path = write_model(weights, args.output.parent, card, results, args.half, args.variant)
    return enter(path, card.name)


def enter(path: Path, name: str) -> Path:
    """Check that a written file loads, and add it to the folder's index, if any."""
    from mmact_ssl.apis.load import load_file
    from mmact_ssl.apis.zoo import INDEX, add_to_index
    from mmact_ssl.errors import CheckpointError

    try:
        load_file(path)
    except CheckpointError:
        path.unlink()
        raise
    if (path.parent / INDEX).is_file():
        add_to_index(path, name)
    return path


def backbone_weights(
    saved: SavedRun, strip_prefix: bool = False, adapters: Sequence[str] = ()
) -> dict[str, Any]:
    """Copy the backbone's weights of a training checkpoint.

    Args:
        saved: A training checkpoint with ``state_dict`` keys ``backbone.*``.
        strip_prefix: Leave ``backbone.`` out of the keys.
        adapters: Include these adapters, with all keys as in :class:`AdaptedBackbone`.
    """
    from mmact_ssl.errors import CheckpointError

    weights = _with_adapters(saved, adapters) if adapters else saved.weights
    prefix = 'backbone.'
    # clone: a view would save its whole storage.
    backbone = {
        key[len(prefix) if strip_prefix else 0 :]: value.detach().clone().contiguous()
        for key, value in weights.items()
        if key.startswith(prefix)
    }
    if not backbone:
        parts = sorted({key.split('.')[0] for key in weights}) or ['no weights']
        raise CheckpointError(f'{saved.path}: no backbone.* to export, it holds {", ".join(parts)}')
    return backbone


def export_backbone(
    saved: SavedRun,
    output: Path,
    strip_prefix: bool = False,
    classifier: bool = False,
    adapters: Sequence[str] = (),
) -> Path:
    """Write ``<output>-<8 digits of sha256>.pth``, and return its path.

    The same weights and config give the same bytes.

    Args:
        saved, strip_prefix, adapters: As in :func:`backbone_weights`.
        output: Path, with or without ``.pth``.
        classifier: Include the classifier of joint training.
    """
    import torch

    import mmact_ssl
    from mmact_ssl.errors import ConfigError
    from mmact_ssl.evaluation.protocols.joint import classifier_state
    from mmact_ssl.saved_run import LABELS_KEY

    if strip_prefix and classifier:
        raise ConfigError('--strip-prefix makes a file for a backbone alone: drop --classifier')
    backbone, trained = backbone_weights(saved, strip_prefix, adapters), saved.meta
    if classifier:
        state = classifier_state(saved)
        backbone.update({f'cls_head.{key}': value.clone() for key, value in state.items()})
    config_text = str(trained.get('cfg', ''))
    meta = {
        'mmact_ssl_version': mmact_ssl.__version__,
        'config_hash': hashlib.sha256(config_text.encode()).hexdigest(),
        'epoch': trained.get('epoch'),
        'iter': trained.get('iter'),
    }
    if read := saved.labels_read:
        meta[LABELS_KEY] = asdict(read)
    buffer = io.BytesIO()
    torch.save({'meta': meta, 'state_dict': backbone}, buffer)
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    path = output.with_name(f'{output.name.removesuffix(".pth")}-{digest[:8]}.pth')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _with_adapters(saved: SavedRun, adapters: Sequence[str]) -> dict[str, Any]:
    """Backbone and adapters under one prefix, by their names in an AdaptedBackbone."""
    from mmact_ssl.errors import CheckpointError

    weights = saved.weights
    prefixes = ('backbone.', *(f'adapters.{name}.' for name in adapters))
    for prefix in prefixes[1:]:
        if not any(key.startswith(prefix) for key in weights):
            known = sorted({key.split('.')[1] for key in weights if key.startswith('adapters.')})
            raise CheckpointError(f'{saved.path}: no {prefix}* to export, its adapters: {known}')
    return {f'backbone.{key}': value for key, value in weights.items() if key.startswith(prefixes)}


def main(argv: list[str] | None = None) -> None:
    """Publish, and print the path."""
    args = parse_args(argv)
    # After parsing, because --help does not need torch.
    from mmact_ssl.errors import one_line_errors
    from mmact_ssl.saved_run import SavedRun

    with one_line_errors():
        saved = SavedRun.read(args.checkpoint)
        if args.format == 'safetensors':
            path = publish(args, saved)
        elif args.format == 'onnx':
            path = publish_onnx(args, saved)
        else:
            path = export_backbone(
                saved, args.output, args.strip_prefix, args.classifier, args.adapters
            )
    print(f'{path}: {path.stat().st_size / 2**20:.1f} MiB')


if __name__ == '__main__':
    main()
