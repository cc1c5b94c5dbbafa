"""Checkpoints of small students, and models that are published from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import nn


def weights_of(backbone: nn.Module, **heads: nn.Module) -> dict[str, torch.Tensor]:
    """Weights of a backbone and of heads, named as a pre-trainer names them."""
    weights = {f'backbone.{key}': value for key, value in backbone.state_dict().items()}
    for name, head in heads.items():
        weights |= {f'heads.{name}.{key}': value for key, value in head.state_dict().items()}
    return weights


def write_student(path: Path, cfg: Config, seed: int = 3, **heads: nn.Module) -> Path:
    """Write the student that a downstream config builds with a seed."""
    from mmact_ssl.evaluation.student import build_recognizer

    weights = weights_of(build_recognizer(cfg, seed=seed).backbone, **heads)
    torch.save(dict(state_dict=weights), path)
    return path


def prompt_head() -> nn.Module:
    """A head that matches sentences of 6 channels with the features of ``skeleton_config``."""
    from mmact_ssl.models.heads.prompt_matching import PromptMatchingHead

    torch.manual_seed(0)
    return PromptMatchingHead(16, 6, hidden_dim=8, embedding_dim=4)


class Words:
    """A text encoder of six numbers."""

    kind = 'text'
    source = 'Words'

    def embed(self, sentences: Sequence[str]) -> torch.Tensor:
        return torch.tensor([[s.count(letter) + 0.5 for letter in 'person'] for s in sentences])

    def fingerprint(self) -> str:
        return 'words'


@pytest.fixture
def video_model(publish: Any, linear_config: Config, student_checkpoint: Path, tmp_path: Path):
    """The published student of ``linear_config``."""
    from mmact_ssl.apis import load_model

    return load_model(str(publish(linear_config, student_checkpoint, tmp_path)))


@pytest.fixture
def skeleton_model(publish: Any, skeleton_config: Config, tmp_path: Path):
    """A published student of ``skeleton_config``."""
    from mmact_ssl.apis import load_model

    path = write_student(tmp_path / 'student.pth', skeleton_config)
    return load_model(str(publish(skeleton_config, path, tmp_path)))


@pytest.fixture
def common_model(publish: Any, skeleton_config: Config, tmp_path: Path):
    """A published student of the common joints."""
    from mmact_ssl.apis import load_model

    skeleton_config.model.backbone.layout = 'common15'
    for loader in (skeleton_config.train_dataloader, skeleton_config.test_dataloader):
        loader.dataset.pipeline.insert(0, dict(type='mmact_ssl.ToCommonJoints'))
    path = write_student(tmp_path / 'student.pth', skeleton_config)
    return load_model(str(publish(skeleton_config, path, tmp_path)))
