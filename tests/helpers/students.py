"""Checkpoints of small students, and models that are published from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mmact_ssl.apis import load_model
from mmact_ssl.configs.encoder_config import EncoderConfig, read_encoder
from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.models.heads.prompt_matching import PromptMatchingHead


def weights_of(backbone: nn.Module, **heads: nn.Module) -> dict[str, torch.Tensor]:
    """Weights of a backbone and of heads, named as a pre-trainer names them."""
    weights = {f'backbone.{key}': value for key, value in backbone.state_dict().items()}
    for name, head in heads.items():
        weights |= {f'heads.{name}.{key}': value for key, value in head.state_dict().items()}
    return weights


def write_student(
    path: Path, encoder: EncoderConfig, seed: int = 3, labels: Any = None, **heads: nn.Module
) -> Path:
    """Write a training checkpoint of an encoder with random weights, and what it records.

    Args:
        labels: Table of the labels that the training has read, see :class:`LabelsRead`.
        heads: Modules of pretext tasks by name.
    """
    torch.manual_seed(seed)
    weights = weights_of(Encoder.build(encoder).backbone, **heads)
    record = dict(encoder=encoder.record, config='made_small', data='made', labels=labels)
    torch.save(dict(state_dict=weights, meta=dict(record=record)), path)
    return path


def prompt_head() -> nn.Module:
    """A head that matches sentences of 6 channels with features of ``skeleton_encoder``."""
    torch.manual_seed(0)
    return PromptMatchingHead(600, 6, hidden_dim=8, embedding_dim=4)


class Words:
    """A text encoder of six numbers."""

    kind = 'text'
    source = 'Words'

    def embed(self, sentences: Sequence[str]) -> torch.Tensor:
        return torch.tensor([[s.count(letter) + 0.5 for letter in 'person'] for s in sentences])

    def fingerprint(self) -> str:
        return 'words'


@pytest.fixture
def video_model(publish: Any, student_checkpoint: Path, tmp_path: Path):
    """The published student of ``video_encoder``."""
    return load_model(str(publish(student_checkpoint, tmp_path)))


@pytest.fixture
def skeleton_model(publish: Any, skeleton_encoder: EncoderConfig, tmp_path: Path):
    """A published student of ``skeleton_encoder``."""
    path = write_student(tmp_path / 'student.pth', skeleton_encoder)
    return load_model(str(publish(path, tmp_path)))


@pytest.fixture
def common_model(publish: Any, tmp_path: Path):
    """A published student of the common joints."""
    path = write_student(tmp_path / 'student.pth', read_encoder('gru-streams-common'))
    return load_model(str(publish(path, tmp_path)))
