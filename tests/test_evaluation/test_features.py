"""Frozen features: what is extracted, the measures of collapse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmact_ssl.configs.encoder_config import EncoderConfig
from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.errors import DataError
from mmact_ssl.evaluation.data import read_splits
from mmact_ssl.evaluation.features import Features, extract_features, normalize


def extract(
    cfg: Config, encoder: EncoderConfig, change: Callable[[Encoder], object] = lambda encoder: None
) -> dict[str, Features]:
    """Features of both splits by an encoder with random weights, after a change."""
    init_default_scope('mmaction')
    torch.manual_seed(0)
    built = Encoder.build(encoder)
    change(built)
    splits = dict(zip(('train', 'test'), read_splits(cfg)))
    return {name: extract_features(cfg, built, name, split) for name, split in splits.items()}


def test_features_are_those_of_single_clips_averaged(linear_config, video_encoder):
    found = extract(linear_config, video_encoder)['test']
    assert found.values.shape == (6, 128)
    assert found.values.dtype == np.float32
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2]
    # Twin: mmaction2's own dataset, one clip at a time, normalized by hand.
    from mmaction.registry import DATASETS

    dataset = DATASETS.build(linear_config.test_dataloader.dataset)
    torch.manual_seed(0)
    backbone = Encoder.build(video_encoder).backbone
    mean = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1, 1)
    std = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1, 1)
    for position in (0, 5):
        clips = dataset[position]['inputs'].float()  # (3 clips, C, T, H, W)
        assert clips.shape == (3, 3, 8, 64, 64)
        with torch.no_grad():
            maps = [backbone(((clip - mean) / std)[None])[0] for clip in clips]
        slow = sum(feature.mean(dim=(1, 2, 3)) for feature in maps) / 3
        np.testing.assert_allclose(found.values[position], slow.numpy(), rtol=1e-3, atol=1e-5)


def test_features_that_are_not_finite_name_the_sample(linear_config, video_encoder):
    def spoil(encoder: Encoder) -> None:
        next(encoder.backbone.parameters()).data.fill_(torch.nan)

    with pytest.raises(DataError, match='the features of sample 1 of the annotation are not'):
        extract(linear_config, video_encoder, spoil)


def test_a_loader_that_leaves_out_or_shuffles_is_refused(linear_config, video_encoder):
    linear_config.test_dataloader.dataset.indices = 5
    with pytest.raises(DataError, match='the loader gave 5 samples that are not its 6 in their'):
        extract(linear_config, video_encoder)


def test_normalize_keeps_zero_rows():
    unit = normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(unit, [[0.6, 0.8], [0, 0]])


def test_spread_is_measured_in_float64():
    generator = np.random.default_rng(1)
    values = generator.normal(size=(30, 5)) * [4, 2, 1, 1, 1e-5]
    rotation = np.linalg.qr(generator.normal(size=(5, 5)))[0]
    labels = np.zeros(30, dtype=int)
    singular = np.sqrt(np.linalg.eigvalsh(np.cov(values, rowvar=False)))
    share = singular / singular.sum()
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    assert Features(values, labels).spread() == {
        'effective_rank': pytest.approx(np.exp(sum(-p * np.log(p) for p in share)), rel=1e-9),
        'feature_std': pytest.approx(np.sqrt(5) * unit.std(axis=0).mean(), rel=1e-9),
    }
    moved = Features(7 * values @ rotation + 100, labels).spread()['effective_rank']
    assert moved == pytest.approx(Features(values, labels).spread()['effective_rank'])
