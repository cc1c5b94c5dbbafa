"""A small published model."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from mmact_ssl.apis.publish import make_card, write_model
from mmact_ssl.evaluation.student import build_recognizer
from tests.helpers.students import weights_of

KNOWN = dict(
    name='small',
    method='CSVR',
    config='csvr_r3d_demo',
    trained_on='demo',
    licence='none',
    source_sha256='0' * 64,
    precision='float32',
)


def publish(cfg: Config, folder: Path, **options) -> Path:
    """Publish the network that a downstream config builds with seed 3."""
    weights = weights_of(build_recognizer(cfg, 3).backbone)
    return write_model(weights, folder, make_card(cfg, **KNOWN), **options)


@pytest.fixture
def published(linear_config: Config, tmp_path: Path) -> Path:
    return publish(linear_config, tmp_path)


def write_checkpoint(path: Path, backbone: dict[str, Any], dataset: str = 'jhmdb') -> str:
    """Write a checkpoint whose config has a backbone."""
    text = f"backbone_name = 'r3d18-small'\ndataset_name = {dataset!r}\n"
    text += f'model = dict(backbone={backbone!r})\n'
    state = {'backbone.conv1.conv.weight': torch.zeros(2)}
    torch.save(dict(state_dict=state, meta=dict(cfg=text)), path)
    return str(path)


@pytest.fixture
def harmless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current folder in which code is planted; nothing of it may have run at the end."""
    place = tmp_path / 'current'
    (place / 'victim').mkdir(parents=True)
    (place / 'planted').mkdir()
    for name in ('__init__', 'registry'):
        (place / 'planted' / f'{name}.py').write_text('open("harm", "w")\n')
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(str(place))
    yield place
    assert sorted(path.name for path in place.iterdir() if path.suffix != '.safetensors') in (
        ['planted', 'victim'],
        ['planted', 'victim', 'work_dirs'],
    )
    assert 'planted' not in sys.modules
