"""Export of a backbone as a .pth file, which stock mmaction2 loads without this package."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import torch

from mmact_ssl.apis.publish import backbone_weights
from mmact_ssl.io.checkpoint_file import CHECKPOINT
from mmact_ssl.io.files import write_atomically
from mmact_ssl.io.student_file import RECORD, StudentFile


def export_backbone(saved: StudentFile, output: Path) -> Path:
    """Write ``<output>-<8 digits of sha256>.pth``, and return its path.

    The same weights and config give the same bytes.

    Args:
        saved: A training checkpoint.
        output: Path, with or without ``.pth``.
    """
    backbone = backbone_weights(saved)
    buffer = io.BytesIO()
    torch.save({'meta': {RECORD: saved.record or None}, 'state_dict': backbone}, buffer)
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    path = output.with_name(f'{output.name.removesuffix(CHECKPOINT)}-{digest[:8]}{CHECKPOINT}')
    write_atomically(path, content)
    return path
