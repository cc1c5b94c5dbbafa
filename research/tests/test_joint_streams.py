"""The classifier of a joint training on streams, in mmaction2's recognizer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.shipped import load
from tests.test_evaluation.test_protocols.test_joint import check_scores


@pytest.mark.parametrize('name', ['twoview', 'cameras'])
def test_a_classifier_on_streams_scores_as_in_its_training(name: str, tmp_path: Path):
    """The pooled feature of training has the order of the downstream encoder's own pooling."""
    model_config = load(f'../research/configs/ms2l-{name}-joint_gru_nwucla.py').model
    model_config.backbone.encoder.hidden_size = 8
    for head in model_config.heads.values():
        head.in_channels = 96
    targets = dict(sample=dict(label=torch.tensor([1, -1])))
    check_scores('gru-streams.py@nwucla', model_config, targets, 9, tmp_path)
