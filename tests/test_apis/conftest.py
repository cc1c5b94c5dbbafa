"""A small published model."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from mmact_ssl.apis.publish import make_card, write_model
from mmact_ssl.evaluation.student import build_recognizer

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
    backbone = build_recognizer(cfg, 3).backbone
    weights = {f'backbone.{key}': value for key, value in backbone.state_dict().items()}
    return write_model(weights, folder, make_card(cfg, **KNOWN), **options)


@pytest.fixture
def published(linear_config: Config, tmp_path: Path) -> Path:
    return publish(linear_config, tmp_path)
