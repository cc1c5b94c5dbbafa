"""Several protocols on one encoder, from config to result."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.evaluate import evaluate, plan_protocols
from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.protocols import PROTOCOLS, base, is_stochastic
from mmact_ssl.evaluation.protocols import linear as linear_protocol
from mmact_ssl.evaluation.recognizer import build_recognizer
from mmact_ssl.io.files import sha256_of_file
from tests.helpers.students import weights_of


def test_protocols_share_one_extraction(linear_config, student_checkpoint, monkeypatch, run):
    extracted, extract = [], base.extract_features
    monkeypatch.setattr(
        base, 'extract_features', lambda *args: extracted.append(args[2]) or extract(*args)
    )
    results = run(linear_config, ['linear', 'knn', 'retrieval'], student_checkpoint, seed=1)
    assert extracted == ['train', 'test'], 'each once'
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


def test_the_student_and_not_a_random_encoder_is_evaluated(
    linear_config, video_encoder, student_checkpoint, run, tmp_path
):
    def rank(checkpoint, seed):
        return run(linear_config, ['knn'], checkpoint, seed=seed)[0].metrics['effective_rank']

    loaded = {rank(student_checkpoint, seed) for seed in (0, 1)}
    assert len(loaded) == 1, 'the seed does not matter once all of the backbone is loaded'
    assert rank(None, 0) not in loaded
    start = build_recognizer(linear_config, video_encoder, 7)
    record = dict(encoder=video_encoder.record)
    content = dict(state_dict=weights_of(start.backbone), meta=dict(record=record))
    torch.save(content, tmp_path / 'start.pth')
    assert rank(None, 7) == rank(tmp_path / 'start.pth', 0), 'fine-tuning starts from the same'


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
    monkeypatch.setattr(base, 'extract_features', lambda *args: pytest.fail('extracts'))
    for name, protocol in PROTOCOLS.items():
        if protocol.check_labels is not None:
            with pytest.raises(ConfigError, match=f'{name}: 3 labeled clips'):
                run(linear_config, ['linear', name], label_fraction=0.25)


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
def test_what_is_not_stochastic_is_the_same_at_every_seed(name, make_inputs):
    def found(seed):
        inputs = make_inputs(**made_features(), num_classes=2, seed=seed)
        metrics, details, right = vars(PROTOCOLS[name].evaluate(inputs)).values()
        return metrics, details, {readout: draws.tolist() for readout, draws in right.items()}

    assert found(0) == found(1) and not is_stochastic(name, 1.0)
    assert is_stochastic(name, 0.5) == (PROTOCOLS[name].labels == 'drawn')


@pytest.mark.parametrize(
    ('setting', 'read_by'),
    [
        ('linear.folds', {'linear'}),
        ('knn.temperature', {'knn'}),
        ('train_cfg.max_epochs', {'finetune'}),
        ('custom_hooks', {'finetune'}),
        ('model.backbone.depth', set(PROTOCOLS)),
    ],
)
def test_a_setting_changes_the_hashes_of_the_protocols_that_read_it(
    finetune_config, make_inputs, monkeypatch, setting, read_by
):
    inputs = make_inputs(**made_features(), num_classes=2)
    inputs.cfg = finetune_config
    for name, protocol in PROTOCOLS.items():
        stub = base.Protocol(lambda *_, **settings: base.Measured({}), trains=protocol.trains)
        monkeypatch.setitem(PROTOCOLS, name, stub)

    def hashes() -> dict[str, str]:
        return {result.protocol: result.config_hash for result in evaluate(inputs, PROTOCOLS, '')}

    before = hashes()
    finetune_config.merge_from_dict({setting: 7})
    after = hashes()
    assert {name for name in PROTOCOLS if after[name] != before[name]} == read_by


def test_mistakes_are_one_line(linear_config, run):
    with pytest.raises(ConfigError, match='--label-fraction'):
        run(linear_config, ['retrieval'], label_fraction=0.1)
    with pytest.raises(ConfigError, match='fewshot draws its labels itself: .*without --label-f'):
        run(linear_config, ['fewshot'], label_fraction=0.1)
    with pytest.raises(ConfigError, match="'svm'"):
        plan_protocols('linear,svm')
    linear_config.linear.fold = 3
    with pytest.raises(ConfigError, match=r'linear\.fold: no such setting, .*penalties, folds'):
        run(linear_config, ['linear'])
