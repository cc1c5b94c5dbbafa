"""The classifier of a joint training on streams, in mmaction2's recognizer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope

from mmact_ssl.evaluation.protocols.joint import classifier_weights
from mmact_ssl.evaluation.recognizer import build_recognizer
from mmact_ssl.evaluation.recognizer_config import read_evaluation
from mmact_ssl.io.student_file import StudentFile
from mmact_ssl.registry import MODELS
from tests.shipped import load


@pytest.mark.parametrize('name', ['twoview', 'cameras'])
def test_a_classifier_on_streams_scores_as_in_its_training(name: str, tmp_path: Path):
    """The pooled feature of training has the order of the downstream encoder's own pooling."""
    model_config = load(f'../research/configs/ms2l-{name}-joint_gru.py@nwucla').model
    model_config.backbone.encoder.hidden_size = 8
    for head in model_config.heads.values():
        head.in_channels = 96
    init_default_scope('mmact_ssl')
    torch.manual_seed(0)
    model = MODELS.build(model_config).eval()
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'joint.pth')
    student = StudentFile.read(tmp_path / 'joint.pth')

    cfg, encoder = read_evaluation('gru-streams', dataset='nwucla')
    cfg.model.backbone.encoder.hidden_size, cfg.model.cls_head.in_channels = 8, 96
    init_default_scope('mmaction')
    recognizer = build_recognizer(cfg, encoder, 0, student).eval()
    recognizer.cls_head.load_state_dict(classifier_weights(student))
    clips = [torch.randn(1, frames, 20, 9) for frames in (3, 7)]
    views = dict.fromkeys(model.data_preprocessor.views, clips)
    targets = dict(sample=dict(label=torch.tensor([1, -1])))
    batch = model.data_preprocessor(dict(inputs=views, targets=targets))
    expected = [sample['classification']['logits'] for sample in model(**batch, mode='predict')]
    view = model_config.heads.classification.get('inputs', {}).get('pooled', 'clip.pooled')
    padded = batch['inputs'][view.partition('.')[0]][:, None]  # (B, clips, M, T, V, C)
    torch.testing.assert_close(recognizer(padded, stage='head'), torch.stack(expected))
