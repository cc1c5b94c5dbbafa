"""Several protocols on one encoder, from config to result."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.evaluation import features
from mmact_ssl.evaluation.evaluate import hashed_config
from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.protocols import (
    PROTOCOLS,
    is_stochastic,
    plan_protocols,
    plan_steps,
)
from mmact_ssl.evaluation.protocols import linear as linear_protocol
from mmact_ssl.evaluation.provenance import config_hash
from mmact_ssl.evaluation.student import build_recognizer
from mmact_ssl.files import sha256_of_file
from mmact_ssl.registry import MODELS
from tests.shipped import SKELETONS, VIDEOS, build, load


def test_protocols_share_one_extraction(linear_config, student_checkpoint, monkeypatch, run):
    extracted = []
    forward = features.forward_features

    def spy(*args):
        extracted.append(args)
        return forward(*args)

    monkeypatch.setattr(features, 'forward_features', spy)
    results = run(linear_config, ['linear', 'knn', 'retrieval'], student_checkpoint, seed=1)
    assert len(extracted) == 2, 'training and test split, once'
    assert [result.protocol for result in results] == ['linear', 'knn', 'retrieval']
    for result in results:
        assert result.checkpoint_hash == sha256_of_file(student_checkpoint)
        assert result.backbone == 'r3d18-small'
        assert (result.dataset, result.synthetic, result.seed) == ('made', True, 1)
        assert result.metrics['feature_std'] > 0
        assert 1 <= result.metrics['effective_rank'] <= 6
    assert len(results[0].details['confusion']) == 3
    recalls = {name for name in results[2].metrics if name.startswith('recall')}
    assert recalls == {'recall@1', 'recall@5', 'recall@10'}, 'there are too few clips for more'


def test_the_student_and_not_a_random_encoder_is_evaluated(linear_config, student_checkpoint, run):
    def rank(checkpoint, seed):
        return run(linear_config, ['knn'], checkpoint, seed=seed)[0].metrics['effective_rank']

    loaded = {rank(student_checkpoint, seed) for seed in (0, 1)}
    assert len(loaded) == 1, 'the seed does not matter once all of the backbone is loaded'
    assert rank(None, 7) in loaded, 'the checkpoint was made with seed 7'
    assert rank(None, 0) not in loaded


@pytest.fixture
def seen(monkeypatch) -> list[list[int]]:
    """The labels that the linear probe is fitted to, fit by fit."""
    found = []
    probe = linear_protocol.fit_probe

    def spy(train, *args, **settings):
        found.append(train.labels.tolist())
        return probe(train, *args, **settings)

    monkeypatch.setattr(linear_protocol, 'fit_probe', spy)
    return found


def test_too_few_labels_are_refused_before_any_protocol_runs(linear_config, monkeypatch, run):
    monkeypatch.setattr(features, 'forward_features', lambda *args: pytest.fail('extracts'))
    for name, protocol in PROTOCOLS.items():
        if protocol.check_labels is not None:
            with pytest.raises(ConfigError, match=f'{name}: 3 labeled clips'):
                run(linear_config, ['linear', name], label_fraction=0.25)


def test_a_label_fraction_reduces_the_training_samples(linear_config, seen, run):
    result = run(linear_config, ['linear'], label_fraction=0.5)[0]
    assert seen == [[0, 0, 1, 1, 2, 2]]
    assert result.label_fraction == 0.5
    assert result.checkpoint_hash == 'random'


def test_shared_labels_reach_further_than_the_drawn_ones(linear_config, seen, run):
    options = dict(label_fraction=0.25)
    linear_config.linear.group_pattern = r'_(\d)\.mp4$'
    alone = run(linear_config, ['linear'], **options)[0]
    linear_config.shared_label_pattern = r'/(class[12])_|/(.+)'
    shared = run(linear_config, ['linear'], **options)[0]
    assert seen == [[0, 1, 2], [0, 1, 1, 1, 1, 2, 2, 2, 2]]
    assert shared.config_hash != alone.config_hash
    with pytest.raises(ConfigError, match='retrieval draws no labels'):
        run(linear_config, ['retrieval'])
    del linear_config.linear.group_pattern
    with pytest.raises(ConfigError, match='give linear.group_pattern'):
        run(linear_config, ['linear'], **options)


def test_only_what_changes_with_the_seed_is_measured_again():
    first, names = (3, 1.0, ['linear', 'knn', 'finetune']), 'linear, knn,linear,finetune'
    assert plan_steps(names, (1.0,), [3, 4], True) == [first, (4, 1.0, ['finetune'])]
    assert plan_steps(names, (1.0,), [3, 4], False) == [first, (4, *first[1:])]
    assert plan_steps('linear', (0.1, 1.0), [3, 4], True) == [
        (3, 0.1, ['linear']),
        (3, 1.0, ['linear']),
        (4, 0.1, ['linear']),
    ]
    # The labels of joint training are in its checkpoint.
    assert plan_steps('joint', (0.1,), [3, 4], True) == [(3, 0.1, ['joint'])]


def made_features(seed: int = 0) -> dict[str, Features]:
    """Two classes that lie apart in the first of four channels, a little."""
    generator = np.random.default_rng(seed)
    labels = np.repeat([0, 1], 20)
    parts = {}
    for name in ('train', 'test'):
        values = generator.normal(size=(40, 4)).astype(np.float32)
        values[:, 0] += 2 * labels
        parts[name] = Features(values, labels)
    return parts


@pytest.mark.parametrize('name', [name for name, protocol in PROTOCOLS.items() if protocol.frozen])
def test_what_is_not_stochastic_is_the_same_at_every_seed(name, make_task):
    settings = dict(round_steps=20, max_rounds=1) if name == 'linear-adam' else {}

    def found(seed):
        task = make_task(**made_features(), num_classes=2, seed=seed)
        return PROTOCOLS[name].evaluate(task, **settings)

    # Scores are equal only if the layer is: a wrong seed would show in one of the metrics.
    assert (found(0) == found(1)) != is_stochastic(name, 1.0)
    assert is_stochastic(name, 0.5) == (PROTOCOLS[name].labels == 'drawn')


@pytest.mark.parametrize(
    ('protocol', 'setting'),
    [('linear-adam', 'linear_adam.round_steps'), ('knn', 'knn.temperature')],
)
def test_settings_of_a_protocol_change_its_hash_alone(linear_config, run, protocol, setting):
    def hashes():
        return [r.config_hash for r in run(linear_config, [protocol, 'retrieval'])]

    before = hashes()
    linear_config.merge_from_dict({setting: 1})
    after = hashes()
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_hooks_of_fine_tuning_change_its_hash(finetune_config):
    def made_hash() -> str:
        return config_hash(hashed_config(finetune_config, 'finetune'))

    plain = made_hash()
    finetune_config.custom_hooks = []
    assert made_hash() == plain
    finetune_config.custom_hooks = [dict(type='EMAHook')]
    assert made_hash() != plain


def test_mistakes_are_one_line(linear_config, tmp_path, run):
    with pytest.raises(CheckpointError, match=r'none\.pth is missing'):
        run(linear_config, ['knn'], tmp_path / 'none.pth')
    linear_config.optim_wrapper = None
    with pytest.raises(ConfigError, match='no training schedule'):
        run(linear_config, ['finetune'])
    with pytest.raises(ConfigError, match='--label-fraction'):
        run(linear_config, ['retrieval'], label_fraction=0.1)
    with pytest.raises(ConfigError, match='fewshot draws its labels itself: .*without --label-f'):
        run(linear_config, ['fewshot'], label_fraction=0.1)
    with pytest.raises(ConfigError, match="'svm'"):
        plan_protocols('linear,svm')


def read_downstream(name: str) -> Config:
    cfg = load(name)
    assert (cfg.dataset_name, cfg.default_scope) == (name.partition('@')[2], 'mmaction')
    assert cfg.get('optim_wrapper') is not None
    return cfg


@pytest.mark.parametrize('name', [n for n in VIDEOS if 'r3d18' in n or 'tsn' in n])
def test_every_downstream_config_of_videos_is_stock_mmaction2_but_for_the_reader(name):
    cfg = read_downstream(name)
    for split in ('train', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        assert dataset.type == 'mmaction.VideoDataset'
        own = [step.type for step in dataset.pipeline if not step.type.startswith('mmaction.')]
        assert own == ['mmact_ssl.ReadVideo', 'mmact_ssl.DecodeFrames']
    assert cfg.custom_imports == dict(imports=['mmact_ssl'])
    assert 'mmact_ssl' not in str(cfg.model)
    steps = {step.type.split('.')[-1]: step for step in cfg.test_dataloader.dataset.pipeline}
    shape = (1, 2, 3, 64, 64)
    if 'r3d18' in name:
        shape = (1, 1, 3, steps['SampleFrames'].clip_len, *[steps['CenterCrop'].crop_size] * 2)
    recognizer = build(cfg).eval()
    scores = recognizer(torch.zeros(shape, device='meta'), mode='tensor', stage='head')
    assert scores.shape == (1, cfg.model.cls_head.num_classes)


# Those that fine-tune with the augmentation of their pre-training are left out.
GRUS_AND_GRAPHS = [n for n in SKELETONS if not re.search('streams|small|stt|pose', n)]


@pytest.mark.parametrize('name', GRUS_AND_GRAPHS)
def test_every_downstream_config_of_skeletons_is_whole(name):
    cfg = read_downstream(name)
    init_default_scope(cfg.default_scope)
    pipelines = [cfg[f'{split}_dataloader'].dataset.pipeline for split in ('train', 'test')]
    assert pipelines[0] == pipelines[1], 'nothing is drawn at random'
    (frames,) = [step.num_frames for step in pipelines[0] if 'num_frames' in step]
    assert frames > 0, 'a set names its longest clip'

    recognizer = build_recognizer(cfg, 0).eval()
    joints = LAYOUTS[cfg.model.backbone.get('layout', 'kinect20')].num_joints
    (persons,) = [step.num_person for step in pipelines[0] if 'num_person' in step]
    clip = torch.zeros(1, 1, persons, frames, joints, 3)
    clip[:, :, :, :5] = torch.randn(1, 1, persons, 5, joints, 3)
    with torch.no_grad():
        scores = recognizer(clip, mode='tensor', stage='head')
        feature_map = recognizer.backbone(clip[0])
        shorter = recognizer.backbone(clip[0, :, :, :5])
    assert scores.shape == (1, cfg.model.cls_head.num_classes)
    if 'gru' in name:
        torch.testing.assert_close(feature_map, shorter)  # padding is not seen
    else:
        assert any(step.type == 'ResampleFrames' for step in pipelines[0]), 'there is no padding'
    pooled = MODELS.build(cfg.feature_pooling)(feature_map)
    assert pooled.shape == (1, cfg.model.cls_head.in_channels)
