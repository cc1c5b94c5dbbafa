"""Export a pre-trained backbone: ``python tools/publish_model.py work_dirs/x/last.pth models/x``.

The file holds the student's weights and nothing else that training needed. Stock mmaction2 loads it
without this package: as ``load_from`` of a config, or, exported with ``--strip-prefix``, as the
``pretrained`` of its backbone with ``pretrained2d=False`` (ResNet3d does not read ``init_cfg``).
"""

from __future__ import annotations

import argparse
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Export a pre-trained checkpoint's backbone")
    parser.add_argument('checkpoint', type=Path, help='checkpoint that tools/train.py wrote')
    parser.add_argument(
        'output', type=Path, help='where to: becomes <output>-<8 digits of sha256>.pth'
    )
    parser.add_argument(
        '--strip-prefix',
        action='store_true',
        help='name the weights as the backbone does, without "backbone."; not with --classifier',
    )
    parser.add_argument(
        '--classifier',
        action='store_true',
        help='export the classifier of joint training as "cls_head." too: a whole recognizer',
    )
    parser.add_argument(
        '--adapters',
        nargs='+',
        default=(),
        metavar='NAME',
        help="export these tasks' adapters too, for a config with mmact_ssl.AdaptedBackbone",
    )
    return parser.parse_args(argv)


def export_backbone(
    checkpoint: Path,
    output: Path,
    strip_prefix: bool = False,
    classifier: bool = False,
    adapters: Sequence[str] = (),
) -> Path:
    """Write the backbone's weights with the first 8 digits of the file's sha256 in its name.

    The same weights and config give the same bytes, so that the hash is the model's name.

    Args:
        checkpoint: A training checkpoint with ``state_dict`` keys ``backbone.*``.
        output: Path, with or without ``.pth``.
        strip_prefix: Leave ``backbone.`` out of the keys.
        classifier: Write the classifier of joint training too.
        adapters: Write these adapters too, and name all weights as :class:`AdaptedBackbone` does.

    Returns:
        The written file.
    """
    import torch

    import mmact_ssl
    from mmact_ssl.engine.checkpoint import load_checkpoint_safely, read_state_dict
    from mmact_ssl.errors import CheckpointError, ConfigError
    from mmact_ssl.evaluation.protocols.joint import classifier_state

    if strip_prefix and classifier:
        raise ConfigError('--strip-prefix makes a file for a backbone alone: drop --classifier')
    loaded = load_checkpoint_safely(checkpoint)
    weights: Mapping[str, Any] = read_state_dict(checkpoint, loaded)
    prefix = 'backbone.'
    if adapters:
        weights = _with_adapters(checkpoint, weights, adapters)
    # clone: a view would drag its whole storage into the file.
    backbone = {
        key[len(prefix) if strip_prefix else 0 :]: value.detach().clone().contiguous()
        for key, value in weights.items()
        if key.startswith(prefix)
    }
    if not backbone:
        found = sorted({key.split('.')[0] for key in weights}) or ['no weights']
        raise CheckpointError(f'{checkpoint}: no backbone.* to export, it holds {", ".join(found)}')
    if classifier:
        state = classifier_state(str(checkpoint))
        backbone.update({f'cls_head.{key}': value.clone() for key, value in state.items()})
    config_text = str(loaded.get('meta', {}).get('cfg', ''))
    meta = {
        'mmact_ssl_version': mmact_ssl.__version__,
        'config_hash': hashlib.sha256(config_text.encode()).hexdigest(),
        'epoch': loaded.get('meta', {}).get('epoch'),
        'iter': loaded.get('meta', {}).get('iter'),
    }
    buffer = io.BytesIO()
    torch.save({'meta': meta, 'state_dict': backbone}, buffer)
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    path = output.with_name(f'{output.name.removesuffix(".pth")}-{digest[:8]}.pth')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _with_adapters(
    checkpoint: Path, weights: Mapping[str, Any], adapters: Sequence[str]
) -> dict[str, Any]:
    """Backbone and adapters under one prefix, by their names in an AdaptedBackbone."""
    from mmact_ssl.errors import CheckpointError

    wanted = ('backbone.', *(f'adapters.{name}.' for name in adapters))
    for prefix in wanted[1:]:
        if not any(key.startswith(prefix) for key in weights):
            known = sorted({key.split('.')[1] for key in weights if key.startswith('adapters.')})
            raise CheckpointError(f'{checkpoint}: no {prefix}* to export, its adapters: {known}')
    return {f'backbone.{key}': value for key, value in weights.items() if key.startswith(wanted)}


def main(argv: list[str] | None = None) -> None:
    """Export and say where."""
    args = parse_args(argv)
    # After parsing: --help need not wait for torch.
    from mmact_ssl.errors import one_line_errors

    with one_line_errors():
        path = export_backbone(
            args.checkpoint, args.output, args.strip_prefix, args.classifier, args.adapters
        )
    print(f'{path}: {path.stat().st_size / 2**20:.1f} MiB')


if __name__ == '__main__':
    main()
