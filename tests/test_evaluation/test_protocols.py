"""Several protocols on one encoder, from config to result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.evaluation import features
from mmact_ssl.evaluation.data import Split
from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.protocols import (
    FROZEN,
    evaluate,
    evaluate_frozen,
    is_stochastic,
    plan_protocols,
)
from mmact_ssl.evaluation.result import file_hash

CONFIGS = Path(__file__).parents[2] / 'configs' / 'downstream'


def test_protocols_share_one_extraction(linear_config, student_checkpoint, monkeypatch):
    extracted = []
    forward = features.forward_features

    def spy(*args):
        extracted.append(args)
        return forward(*args)

    monkeypatch.setattr(features, 'forward_features', spy)
    results = evaluate(
        linear_config,
        plan_protocols('all')[1.0],
        str(student_checkpoint),
        method='CSVR',
        seed=1,
        cache_dir=None,
    )
    assert len(extracted) == 2, 'training and test split, once'
    assert [result.protocol for result in results] == ['linear', 'knn', 'retrieval']
    for result in results:
        assert result.checkpoint_hash == file_hash(student_checkpoint)
        assert result.backbone == 'r3d18-small'
        assert (result.dataset, result.synthetic, result.seed) == ('made', True, 1)
        assert result.metrics['feature_std'] > 0
        assert 1 <= result.metrics['effective_rank'] <= 6
    assert len(results[0].details['confusion']) == 3
    assert set(results[2].metrics) >= {f'recall@{k}' for k in (1, 5, 10, 20, 50)}
    assert results[2].metrics['recall@50'] == 1.0


def test_the_student_and_not_a_random_encoder_is_judged(linear_config, student_checkpoint):
    def rank(checkpoint, seed):
        result = evaluate(linear_config, ['knn'], checkpoint, seed=seed, cache_dir=None)[0]
        return result.metrics['effective_rank']

    loaded = {rank(str(student_checkpoint), seed) for seed in (0, 1)}
    assert len(loaded) == 1, 'the seed does not matter once all of the backbone is loaded'
    assert rank(None, 7) in loaded, 'the checkpoint was made with seed 7'
    assert rank(None, 0) not in loaded


def test_a_label_fraction_reduces_the_training_samples(linear_config, monkeypatch):
    from mmact_ssl.evaluation import protocols

    seen = []
    probe = protocols.evaluate_linear

    def spy(train, *args, **kwargs):
        seen.append(train.labels.tolist())
        return probe(train, *args, **kwargs)

    monkeypatch.setattr(protocols, 'evaluate_linear', spy)
    result = evaluate(linear_config, ['linear'], None, label_fraction=0.5, cache_dir=None)[0]
    assert seen == [[0, 0, 1, 1, 2, 2]]
    assert result.label_fraction == 0.5
    assert result.checkpoint_hash == 'random'


def test_a_plan_names_every_protocol_once():
    assert plan_protocols('linear, knn,linear') == {1.0: ['linear', 'knn']}
    assert plan_protocols('all,transfer') == {1.0: ['linear', 'knn', 'retrieval']}
    semi = plan_protocols('linear,semi,semi-linear')
    assert semi == {
        1.0: ['linear'],
        **{part: ['finetune', 'linear'] for part in (0.01, 0.05, 0.1, 0.2, 0.4)},
    }
    assert plan_protocols('semi,knn', (0.1, 0.3)) == {
        0.1: ['finetune', 'knn'],
        0.3: ['finetune', 'knn'],
    }


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


def frozen(protocol: str, seed: int = 0, **options):
    names = [f'v{i}.mp4' for i in range(40)]
    features = made_features()
    train = Split('train.txt', '', names, features['train'].labels)
    return evaluate_frozen(protocol, features, train, np.arange(40), 2, options, seed)


def test_what_draws_no_lots_is_the_same_at_every_seed():
    for protocol in FROZEN:
        assert is_stochastic(protocol, 0.5)
        # Scores are equal only if the layer is: a wrong seed would show in one of the metrics.
        same = frozen(protocol, seed=0) == frozen(protocol, seed=1)
        assert same != is_stochastic(protocol, 1.0), protocol
    assert is_stochastic('finetune', 1.0)


def test_the_layer_trained_by_adam_reads_its_settings(linear_config):
    barely = frozen('linear-sgd', epochs=1, lr=1e-9)[1]['train_top1']
    assert barely < 0.75 < frozen('linear-sgd', lr=0.1)[1]['train_top1']

    def hashes(protocols):
        return [
            result.config_hash
            for result in evaluate(linear_config, protocols, None, cache_dir=None)
        ]

    before = hashes(['linear', 'linear-sgd'])
    linear_config.linear_sgd.epochs = 1
    after = hashes(['linear', 'linear-sgd'])
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_the_drawn_labels_are_kept(linear_config, tmp_path):
    evaluate(
        linear_config,
        ['knn'],
        None,
        label_fraction=0.5,
        cache_dir=None,
        label_lists=str(tmp_path / 'labels'),
    )
    lines = (tmp_path / 'labels/made_50pct_seed0.txt').read_text().splitlines()
    assert [line.split()[1] for line in lines] == list('001122')


def test_finetune_gives_a_result(finetune_config, tmp_path):
    finetune_config.train_cfg.max_epochs = 1
    result = evaluate(finetune_config, ['finetune'], None, work_dir=str(tmp_path))[0]
    assert result.protocol == 'finetune'
    assert 0 <= result.metrics['top1'] <= 1


def test_settings_of_a_protocol_change_its_hash_alone(linear_config):
    def hashes():
        results = evaluate(linear_config, ['knn', 'retrieval'], None, cache_dir=None)
        return [result.config_hash for result in results]

    knn, retrieval = hashes()
    linear_config.knn.temperature = 0.1
    other_knn, same_retrieval = hashes()
    assert knn != other_knn
    assert retrieval == same_retrieval


def test_hooks_of_fine_tuning_change_its_hash(finetune_config, monkeypatch):
    from mmact_ssl.evaluation import protocols

    monkeypatch.setattr(protocols, 'evaluate_finetune', lambda *args, **kwargs: ({}, {}))

    def made_hash() -> str:
        return evaluate(finetune_config, ['finetune'], None)[0].config_hash

    plain = made_hash()
    finetune_config.custom_hooks = []
    assert made_hash() == plain
    finetune_config.custom_hooks = [dict(type='EMAHook')]
    assert made_hash() != plain


def test_which_keys_were_the_student_is_recorded(linear_config, student_checkpoint):
    import torch

    content = torch.load(student_checkpoint, weights_only=True)['state_dict']
    state = {key.replace('backbone.', 'copy.'): value for key, value in content.items()}
    torch.save(dict(state_dict=state), student_checkpoint)
    checkpoint = str(student_checkpoint)
    result = evaluate(linear_config, ['knn'], checkpoint, prefix='copy.', cache_dir=None)[0]
    assert result.prefix == 'copy.'


def test_mistakes_are_one_line(linear_config, tmp_path):
    with pytest.raises(CheckpointError, match=r'none\.pth: no such checkpoint.*--random'):
        evaluate(linear_config, ['knn'], str(tmp_path / 'none.pth'))
    with pytest.raises(ConfigError, match='no training schedule'):
        evaluate(linear_config, ['finetune'], None)
    with pytest.raises(ConfigError, match='--label-fraction'):
        evaluate(linear_config, ['retrieval'], None, label_fraction=0.1)
    with pytest.raises(ConfigError, match="'svm'"):
        plan_protocols('linear,svm')


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('*_r3d_*.py')), ids=lambda path: path.stem)
def test_every_downstream_config_of_videos_is_stock_mmaction2(path):
    cfg = Config.fromfile(path)
    protocol, _, dataset = path.stem.split('_')
    assert cfg.dataset_name == dataset
    assert cfg.default_scope == 'mmaction'
    assert (cfg.get('optim_wrapper') is not None) == (protocol == 'finetune')
    for split in ('train', 'test'):
        assert cfg[f'{split}_dataloader'].dataset.type == 'mmaction.VideoDataset'
    assert 'mmact_ssl' not in cfg.pretty_text

    import torch

    from mmact_ssl.evaluation.student import build_recognizer

    sample = cfg.test_dataloader.dataset.pipeline[1]
    size = cfg.test_dataloader.dataset.pipeline[4].crop_size
    recognizer = build_recognizer(cfg, 0).eval()
    with torch.no_grad():
        scores = recognizer(
            torch.zeros(1, 1, 3, sample.clip_len, size, size), mode='tensor', stage='head'
        )
    assert scores.shape == (1, cfg.model.cls_head.num_classes)


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('*_tsn-r18_*.py')), ids=lambda path: path.stem)
def test_every_downstream_config_of_2d_students_is_stock_mmaction2(path):
    import torch

    from mmact_ssl.evaluation.student import build_recognizer

    cfg = Config.fromfile(path)
    protocol, _, dataset = path.stem.split('_')
    assert (cfg.dataset_name, cfg.backbone_name) == (dataset, 'tsn-r18')
    assert (cfg.get('optim_wrapper') is not None) == (protocol == 'finetune')
    assert 'mmact_ssl' not in cfg.pretty_text
    recognizer = build_recognizer(cfg, 0).eval()
    with torch.no_grad():
        scores = recognizer(torch.zeros(1, 2, 3, 64, 64), mode='tensor', stage='head')
    assert scores.shape == (1, cfg.model.cls_head.num_classes)


SKELETONS = sorted([*CONFIGS.glob('*_gru_*.py'), *CONFIGS.glob('*gcn_*.py')])


@pytest.mark.parametrize('path', SKELETONS, ids=lambda path: path.stem)
def test_every_downstream_config_of_skeletons_is_whole(path):
    import torch

    from mmact_ssl.evaluation.student import build_recognizer
    from mmact_ssl.registry import MODELS

    cfg = Config.fromfile(path)
    protocol, _, dataset = path.stem.split('_')
    assert cfg.dataset_name == dataset
    assert cfg.default_scope == 'mmaction'
    assert (cfg.get('optim_wrapper') is not None) == (protocol == 'finetune')
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
    if '_gru_' in path.stem:
        torch.testing.assert_close(feature_map, shorter)  # padding is not seen
    else:
        assert any(step.type == 'ResampleFrames' for step in pipelines[0]), 'there is no padding'
    pooled = MODELS.build(cfg.feature_pooling)(feature_map)
    assert pooled.shape == (1, cfg.model.cls_head.in_channels)
