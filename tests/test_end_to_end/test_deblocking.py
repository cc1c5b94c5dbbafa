"""Frames without deblocking, and what the losses make of them."""

from __future__ import annotations

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from mmact_ssl.engine.launch import read_config
from mmact_ssl.registry import DATASETS, MODELS
from tests.five_methods import METHODS, make_data, options_of


def test_losses_without_deblocking_are_near(tmp_path, monkeypatch):
    make_data(tmp_path)
    monkeypatch.setenv('MMACT_SSL_DATA', str(tmp_path))
    cfg = read_config(METHODS['csvr'][0], options_of('csvr'))
    init_default_scope(cfg.default_scope)
    (decode,) = (s for s in cfg.train_dataloader.dataset.pipeline if s.type == 'DecodeViews')
    batches, losses = [], []
    for deblock in (True, False):
        decode.deblock = deblock
        data_set = DATASETS.build(cfg.train_dataloader.dataset)
        data_set.set_progress(0, 0)
        batches.append(pseudo_collate([data_set[index] for index in range(4)]))
        torch.manual_seed(0)
        model = MODELS.build(cfg.model).train()
        found = model(**model.data_preprocessor(batches[-1], True), mode='loss')
        _, logged = model.parse_losses(found)
        losses.append({key: float(x.detach()) for key, x in logged.items() if 'loss' in key})
    clips = [torch.stack(batch['inputs']['clip']).float() for batch in batches]
    assert 0 < (clips[0] - clips[1]).abs().mean() < 5
    assert losses[0].keys() == losses[1].keys()
    assert losses[1] == pytest.approx(losses[0], rel=0.01, abs=1e-3)
