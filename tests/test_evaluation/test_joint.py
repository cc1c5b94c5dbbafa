"""The classifier of joint training is tested as it was trained, on the student's features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.evaluation.joint import (
    classifier_state,
    evaluate_joint,
    trained_label_fraction,
)
from mmact_ssl.evaluation.protocols import evaluate
from mmact_ssl.evaluation.student import build_recognizer


@pytest.fixture
def joint_checkpoint(linear_config, tmp_path: Path) -> Path:
    """As joint training leaves it; the classifier gives class 1 whatever it sees."""
    recognizer = build_recognizer(linear_config, seed=7)
    recognizer.cls_head.fc_cls.bias.data = torch.tensor([0.0, 100.0, 0.0])
    state = {f'backbone.{key}': value for key, value in recognizer.backbone.state_dict().items()}
    head = recognizer.cls_head.state_dict()
    state.update({f'heads.recognition.cls_head.{key}': value for key, value in head.items()})
    state['heads.guidance.projectors.image.0.weight'] = torch.zeros(3)
    path = tmp_path / 'joint.pth'
    torch.save(dict(state_dict=state, meta={}), path)
    return path


def test_the_checkpoints_own_classifier_is_judged(linear_config, joint_checkpoint, tmp_path):
    (result,) = evaluate(
        linear_config,
        ['joint'],
        str(joint_checkpoint),
        label_fraction=0.5,
        work_dir=str(tmp_path / 'run'),
        cache_dir=None,
    )
    confusion = np.array(result.details['confusion'])
    assert confusion[:, 1].tolist() == [2, 2, 2] and confusion.sum() == 6
    assert result.metrics['top1'] == pytest.approx(1 / 3)
    assert (result.protocol, result.label_fraction) == ('joint', 0.5)


def test_the_student_is_loaded_with_it(linear_config, joint_checkpoint, tmp_path):
    recognizer = build_recognizer(linear_config, 0, str(joint_checkpoint))
    evaluate_joint(linear_config, recognizer, str(joint_checkpoint), str(tmp_path / 'run'))
    stored = torch.load(joint_checkpoint, weights_only=True)['state_dict']
    for key, value in recognizer.state_dict().items():
        name = key if key.startswith('backbone.') else f'heads.recognition.{key}'
        if name in stored:
            assert torch.equal(value.cpu(), stored[name]), key


def test_a_random_encoder_has_no_classifier(linear_config):
    with pytest.raises(ConfigError, match='random encoder has none'):
        evaluate(linear_config, ['joint'], None)


def test_a_checkpoint_without_a_classifier_is_refused(linear_config, student_checkpoint):
    with pytest.raises(CheckpointError, match='0 classifiers'):
        evaluate(linear_config, ['joint'], str(student_checkpoint), cache_dir=None)


def test_a_classifier_of_other_classes_is_refused(linear_config, joint_checkpoint, tmp_path):
    state = torch.load(joint_checkpoint, weights_only=True)
    state['state_dict']['heads.recognition.cls_head.fc_cls.bias'] = torch.zeros(5)
    torch.save(state, joint_checkpoint)
    recognizer = build_recognizer(linear_config, 0)
    with pytest.raises(CheckpointError, match='fc_cls.bias'):
        evaluate_joint(linear_config, recognizer, str(joint_checkpoint), str(tmp_path / 'run'))


def test_two_classifiers_are_one_too_many(joint_checkpoint):
    state = torch.load(joint_checkpoint, weights_only=True)
    state['state_dict']['heads.second.cls_head.fc_cls.bias'] = torch.zeros(3)
    torch.save(state, joint_checkpoint)
    with pytest.raises(CheckpointError, match='2 classifiers'):
        classifier_state(str(joint_checkpoint))


@pytest.mark.parametrize(
    ('config', 'fraction'),
    [
        ('dataset = dict(label_fraction=0.1, label_seed=3)', 0.1),
        ("dataset = {'label_fraction': 5e-2}", 0.05),
        ('dataset = dict(ann_file=1)', 1.0),
        ('', None),
    ],
)
def test_the_share_of_labels_is_in_the_file(joint_checkpoint, config, fraction):
    state = torch.load(joint_checkpoint, weights_only=True)
    state['meta'] = {'cfg': config}
    torch.save(state, joint_checkpoint)
    assert trained_label_fraction(str(joint_checkpoint)) == fraction


def test_another_share_than_it_was_trained_with_is_refused(linear_config, joint_checkpoint):
    state = torch.load(joint_checkpoint, weights_only=True)
    state['meta'] = {'cfg': 'train_dataloader = dict(dataset=dict(label_fraction=0.1))'}
    torch.save(state, joint_checkpoint)
    with pytest.raises(ConfigError, match=r'0\.1 of the labels, not 1: give --label-fraction 0\.1'):
        evaluate(linear_config, ['joint'], str(joint_checkpoint), cache_dir=None)
