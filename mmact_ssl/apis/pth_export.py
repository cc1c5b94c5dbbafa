"""Export of a backbone as a .pth file, which stock mmaction2 loads without this package."""

from __future__ import annotations

import hashlib
import io
from dataclasses import asdict
from pathlib import Path

import torch

from mmact_ssl import __version__
from mmact_ssl.apis.publish import backbone_weights
from mmact_ssl.checkpoint_file import CHECKPOINT
from mmact_ssl.files import write_atomically
from mmact_ssl.saved_run import LABELS_KEY, SavedRun


def export_backbone(
    saved: SavedRun,
    output: Path,
    strip_prefix: bool = False,
) -> Path:
    """Write ``<output>-<8 digits of sha256>.pth``, and return its path.

    The same weights and config give the same bytes.

    Args:
        saved, strip_prefix: As in :func:`backbone_weights`.
        output: Path, with or without ``.pth``.
    """
    backbone, trained = backbone_weights(saved, strip_prefix), saved.meta
    meta = {
        'mmact_ssl_version': __version__,
        'epoch': trained.get('epoch'),
        'iter': trained.get('iter'),
    }
    if config_text := str(trained.get('cfg', '')):  # a published file has none
        meta['config_hash'] = hashlib.sha256(config_text.encode()).hexdigest()
    if read := saved.labels_read:
        meta[LABELS_KEY] = asdict(read)
    buffer = io.BytesIO()
    torch.save({'meta': meta, 'state_dict': backbone}, buffer)
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    path = output.with_name(f'{output.name.removesuffix(CHECKPOINT)}-{digest[:8]}{CHECKPOINT}')
    write_atomically(path, content)
    return path
