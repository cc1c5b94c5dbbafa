"""Initialization reaches whatever is inside: adapters, heads, their networks, streams."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

import mmact_ssl.models  # noqa: F401
from mmact_ssl.errors import CheckpointError
from mmact_ssl.registry import MODELS

CONFIGS = Path(__file__).parents[3] / 'configs'
LOST = dict(type='Pretrained', checkpoint='/nowhere/weights.pth')


def build(config: str, **options) -> nn.Module:
    cfg = Config.fromfile(CONFIGS / f'{config}.py')
    cfg.merge_from_dict(options)
    init_default_scope('mmact_ssl')
    torch.manual_seed(0)
    return MODELS.build(cfg.model)


@pytest.mark.parametrize(
    ('config', 'part'),
    [
        ('csvr_r3d_jhmdb', 'heads.context'),
        ('csvr_r3d_jhmdb', 'heads.context.frame_encoder'),
        ('csvr_r3d_jhmdb', 'adapters.dynamic'),
        ('ms2l-twoview_gru_nwucla', 'backbone.encoder'),
    ],
)
def test_lost_weights_of_any_part_are_an_error(config, part):
    # The config of this part has an init_cfg, None, in whose place the dict comes.
    instead = dict(_delete_=True) if part.endswith('frame_encoder') else {}
    model = build(config, **{f'model.{part}.init_cfg': {**LOST, **instead}})
    with pytest.raises(CheckpointError, match='/nowhere/weights.pth'):
        model.init_weights()
