"""Frozen features: what is extracted, the measures of collapse."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from mmact_ssl.errors import DataError
from mmact_ssl.evaluation.data import read_splits
from mmact_ssl.evaluation.features import (
    Features,
    extract_features,
    normalize,
    pool_features,
)
from mmact_ssl.evaluation.student import build_recognizer


def extract(cfg):
    init_default_scope('mmaction')
    train, test = read_splits(cfg)
    return extract_features(cfg, build_recognizer(cfg, 0), {'train': train, 'test': test})


def test_features_are_those_of_single_clips_averaged(linear_config):
    found = extract(linear_config)['test']
    assert found.values.shape == (6, 64)
    assert found.values.dtype == np.float32
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2]
    # Twin: mmaction2's own dataset, one clip at a time, normalized by hand.
    from mmaction.registry import DATASETS

    dataset = DATASETS.build(linear_config.test_dataloader.dataset)
    backbone = build_recognizer(linear_config, 0).backbone
    backbone.eval()
    mean = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1, 1)
    std = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1, 1)
    for position in (0, 5):
        clips = dataset[position]['inputs'].float()  # (3 clips, C, T, H, W)
        assert clips.shape == (3, 3, 8, 64, 64)
        with torch.no_grad():
            maps = [backbone(((clip - mean) / std)[None])[0] for clip in clips]
        slow = sum(feature.mean(dim=(1, 2, 3)) for feature in maps) / 3
        np.testing.assert_allclose(found.values[position], slow.numpy(), rtol=1e-3, atol=1e-5)


def test_features_that_are_not_finite_name_the_sample(linear_config):
    init_default_scope('mmaction')
    train, test = read_splits(linear_config)
    recognizer = build_recognizer(linear_config, 0)
    next(recognizer.backbone.parameters()).data.fill_(torch.nan)
    with pytest.raises(DataError, match='the features of sample 1 of the annotation are not'):
        extract_features(linear_config, recognizer, {'train': train, 'test': test})


def test_a_loader_that_leaves_out_or_shuffles_is_refused(linear_config):
    init_default_scope('mmaction')
    _, test = read_splits(linear_config)
    recognizer = build_recognizer(linear_config, 0)
    linear_config.test_dataloader.dataset.indices = 5
    with pytest.raises(DataError, match='the loader gave 5 samples that are not its 6 in their'):
        extract_features(linear_config, recognizer, {'test': test})


def test_pooling_averages_positions_then_clips():
    output = torch.arange(2 * 3 * 4 * 1 * 2 * 2, dtype=torch.float32).view(6, 4, 1, 2, 2)
    pooled = pool_features(output, num_clips=3)
    assert pooled.shape == (2, 4)
    assert torch.allclose(pooled, output.view(2, 3, 4, 4).mean(dim=(1, 3)))
    assert torch.equal(pool_features((output * 0, output), 3), pooled), 'the last of several'


def test_the_deviation_over_a_videos_frames_stands_beside_the_mean():
    output = torch.randn(6, 4, 2, 2, dtype=torch.float64)
    pooled = pool_features(output, num_clips=3, deviation=True)
    frames = output.mean(dim=(2, 3)).view(2, 3, 4)
    for video in range(2):
        mean = sum(frames[video]) / 3
        spread = (sum((frame - mean) ** 2 for frame in frames[video]) / 3) ** 0.5
        torch.testing.assert_close(pooled[video], torch.cat([mean, spread]))


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
