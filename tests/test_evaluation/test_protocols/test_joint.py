"""The classifier of joint training is tested as it was trained, on the student's features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.protocols import joint
from mmact_ssl.evaluation.protocols.base import ProtocolInput
from mmact_ssl.evaluation.protocols.joint import classifier_weights
from mmact_ssl.evaluation.recognizer import build_recognizer
from mmact_ssl.evaluation.recognizer_config import read_evaluation
from mmact_ssl.io.student_file import StudentFile
from mmact_ssl.registry import MODELS
from tests.shipped import load


@pytest.fixture
def joint_checkpoint(linear_config, video_encoder, tmp_path: Path) -> Path:
    """As joint training leaves it; the classifier gives class 1 whatever it sees."""
    recognizer = build_recognizer(linear_config, video_encoder, seed=7)
    recognizer.cls_head.fc_cls.bias.data = torch.tensor([0.0, 100.0, 0.0])
    state = {f'backbone.{key}': value for key, value in recognizer.backbone.state_dict().items()}
    head = recognizer.cls_head.state_dict()
    state.update({f'heads.recognition.cls_head.{key}': value for key, value in head.items()})
    state['heads.guidance.projectors.image.0.weight'] = torch.zeros(3)
    path = tmp_path / 'joint.pth'
    meta = dict(record=dict(encoder=video_encoder.record))
    torch.save(dict(state_dict=state, meta=meta), path)
    return path


def test_the_checkpoints_own_classifier_and_student_are_tested(
    linear_config, joint_checkpoint, tmp_path, run, recognizers
):
    options = dict(label_fraction=0.5, work_dir=str(tmp_path / 'run'))
    (result,) = run(linear_config, ['joint'], joint_checkpoint, **options)
    confusion = np.array(result.details['confusion'])
    assert confusion[:, 1].tolist() == [2, 2, 2] and confusion.sum() == 6
    assert result.metrics['top1'] == pytest.approx(1 / 3)
    assert (result.protocol, result.label_fraction) == ('joint', 0.5)
    stored = torch.load(joint_checkpoint, weights_only=True)['state_dict']
    for key, value in recognizers[0].state_dict().items():
        name = key if key.startswith('backbone.') else f'heads.recognition.{key}'
        if name in stored:
            assert torch.equal(value.cpu(), stored[name]), key


def test_what_has_no_fitting_classifier_is_refused(
    linear_config, joint_checkpoint, student_checkpoint, run
):
    with pytest.raises(
        ConfigError, match='joint tests the classifier of a checkpoint: drop --random'
    ):
        run(linear_config, ['joint'])
    with pytest.raises(CheckpointError, match='0 classifiers'):
        run(linear_config, ['joint'], student_checkpoint)
    state = torch.load(joint_checkpoint, weights_only=True)
    state['state_dict']['heads.recognition.cls_head.fc_cls.bias'] = torch.zeros(5)
    torch.save(state, joint_checkpoint)
    with pytest.raises(CheckpointError, match='fc_cls.bias'):
        run(linear_config, ['joint'], joint_checkpoint)
    state['state_dict']['heads.second.cls_head.fc_cls.bias'] = torch.zeros(3)
    torch.save(state, joint_checkpoint)
    with pytest.raises(CheckpointError, match='2 classifiers'):
        classifier_weights(StudentFile.read(joint_checkpoint))


def test_a_classifier_on_skeletons_scores_as_in_its_training(tmp_path):
    """A ClassificationHead beside a jigsaw, and mmaction2's recognizer with its weights."""
    model_config = load('ms2l-joint_gru.py@nwucla').model
    init_default_scope('mmact_ssl')
    torch.manual_seed(0)
    model = MODELS.build(model_config).eval()
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'joint.pth')
    saved = StudentFile.read(tmp_path / 'joint.pth')

    cfg, encoder = read_evaluation('gru', dataset='nwucla')
    init_default_scope('mmaction')
    recognizer = build_recognizer(cfg, encoder, seed=0, saved=saved).eval()
    recognizer.cls_head.load_state_dict(classifier_weights(saved))
    clips = [torch.randn(1, frames, 20, 3) for frames in (3, 7)]
    targets = dict(
        shuffled=dict(permutation=torch.tensor([[0, 1, 2], [1, 2, 0]])),
        sample=dict(label=torch.tensor([1, -1])),
    )
    views = dict.fromkeys(model.data_preprocessor.views, clips)
    batch = model.data_preprocessor(dict(inputs=views, targets=targets))
    expected = [sample['classification']['logits'] for sample in model(**batch, mode='predict')]
    padded = batch['inputs']['clip'][:, None]  # (B, clips, M, T, V, C)
    torch.testing.assert_close(recognizer(padded, stage='head'), torch.stack(expected))


def test_a_classifier_of_pooled_features_reads_these(make_inputs, tmp_path, monkeypatch):
    """mmaction2's GCNHead would count absent persons too, whose maps a graph network fills."""
    generator = np.random.default_rng(0)
    parts = [
        Features(generator.normal(size=(n, 4)).astype(np.float32), np.arange(n) % 3)
        for n in (6, 30)
    ]
    linear = torch.nn.Linear(4, 3)
    state = {f'heads.action.classifier.{k}': v for k, v in linear.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'joint.pth')
    inputs = make_inputs(*parts, 3, saved=StudentFile.read(tmp_path / 'joint.pth'))
    head = torch.nn.ModuleDict(dict(fc=torch.nn.Linear(4, 3)))
    recognizer = torch.nn.ModuleDict(dict(cls_head=head))
    monkeypatch.setattr(ProtocolInput, 'build_recognizer', lambda self: recognizer)
    found = joint.evaluate(inputs)
    weight, bias = (value.detach().numpy() for value in linear.parameters())
    guess = (parts[1].values @ weight.T + bias).argmax(axis=1)
    assert found.metrics['top1'] == (guess == parts[1].labels).mean()
    confusion = np.zeros((3, 3), int)
    np.add.at(confusion, (parts[1].labels, guess), 1)
    assert found.details['confusion'] == confusion.tolist()
