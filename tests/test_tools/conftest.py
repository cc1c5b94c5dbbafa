"""Teachers that need no weights."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

MODULE = """
import torch
from mmact_ssl.models.teachers import BaseTeacher
from mmact_ssl.registry import MODELS


@MODELS.register_module(force=True)
class GrayTeacher(BaseTeacher):
    def __init__(self, kind):
        super().__init__({'kind': kind}, {})
        self.kind = kind
        self.layout = {'pose': 'coco17', 'map': 'person'}.get(kind, '')

    def predict(self, frames):
        gray = frames.float().mean(1) / 255  # (N, H, W)
        if self.kind == 'map':
            return gray[:, None, ::8, ::8]
        mean = gray.mean((1, 2))
        return mean[:, None, None].expand(-1, 17, 3) if self.kind == 'pose' else mean[:, None]

    def embed(self, sentences):
        return torch.tensor([[len(line)] for line in sentences]).float()
"""


@pytest.fixture
def gray_teachers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes ``gray_<kind>.py``, configs of teachers of all kinds, into ``tmp_path``."""
    (tmp_path / 'gray_teacher.py').write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, 'dont_write_bytecode', True)
    monkeypatch.delitem(sys.modules, 'gray_teacher', raising=False)
    for kind in ('pose', 'map', 'embedding', 'text'):
        (tmp_path / f'gray_{kind}.py').write_text(
            "custom_imports = dict(imports=['gray_teacher'])\n"
            f"teacher = dict(type='GrayTeacher', kind='{kind}')\n"
        )
