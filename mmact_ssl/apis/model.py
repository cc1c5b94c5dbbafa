"""A published model in memory: its backbone, its preprocessing and its features."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mmact_ssl.apis.card import FIX, Card, card_from, require_published
from mmact_ssl.errors import CheckpointError
from mmact_ssl.evaluation.features import encode
from mmact_ssl.files import reading, sha256_of_file
from mmact_ssl.parts import build_model, build_pipeline, build_without_memory
from mmact_ssl.saved_run import SavedRun
from mmact_ssl.weights import require_fit

PREFIX = 'backbone.'


@dataclass
class PretrainedModel:
    """A published model, as :func:`mmact_ssl.apis.load_model` returns it, in evaluation mode.

    Attributes:
        default_device: Device in an inferencer; None: a GPU if there is one.
        backbone: Takes normalized float ``(N, C, T, H, W)`` (2D networks: frames ``(N, C, H, W)``),
            or skeletons ``(N, M, T, V, C)``.
        preprocessor: Collates and normalizes samples.
        pooling: Pooling of skeletons; None: the mean over positions.
        card: Card of the file.
        sha256: Hash of the file.
        path: Path of the file.
    """

    default_device: ClassVar[str | None] = None

    backbone: nn.Module
    preprocessor: nn.Module
    pooling: nn.Module | None
    card: Card
    sha256: str
    path: str

    @cached_property
    def transform(self) -> Any:
        """The pipeline, built: takes what a data set gives it, e.g. ``dict(filename='a.mp4',
        start_index=0, modality='RGB')``, and makes a sample."""
        return build_pipeline(self.card.pipeline)

    def to(self, device: str | torch.device) -> PretrainedModel:
        """Move the networks to a device."""
        for part in (self.backbone, self.preprocessor, self.pooling):
            if part is not None:
                part.to(device)
        return self

    @torch.no_grad()
    def features(self, samples: Sequence[dict[str, Any]]) -> Tensor:
        """Features ``(N, C)`` of N samples, as in the linear probe.

        Args:
            samples: Samples of :attr:`transform`, of one shape, for one batch.
        """
        from mmengine.dataset import pseudo_collate

        data = self.preprocessor(pseudo_collate(list(samples)), training=False)
        return self.encode(data['inputs'])

    def encode(self, inputs: Tensor) -> Tensor:
        """Features of a normalized batch, see :func:`mmact_ssl.evaluation.features.encode`."""
        return encode(self.backbone, inputs, self.pooling, self.card.deviation)


def load_file(path: str | os.PathLike[str], expected: str | None = None) -> PretrainedModel:
    """Load a published file.

    Args:
        path: A ``.safetensors`` or ``.onnx`` file of tools/publish_model.py.
        expected: Its sha256, compared before the file is parsed.

    Raises:
        CheckpointError: The file is missing, damaged or another one, or a part of it is refused.
    """
    path = os.fspath(path)
    with reading(path, FIX, CheckpointError):
        sha256 = sha256_of_file(path)
    if expected is not None and sha256 != expected:
        raise CheckpointError(f'{path} has sha256 {sha256}, {expected} is expected: {FIX}')
    if path.endswith('.onnx'):
        from mmact_ssl.apis.onnx_model import load_onnx  # imports this module

        return load_onnx(path)
    require_published(path)
    saved = SavedRun.read(path)
    with reading(path, FIX, CheckpointError):
        card = card_from(saved.card)
    state = {key: value for key, value in saved.weights.items() if key.startswith(PREFIX)}
    state = {key[len(PREFIX) :]: value for key, value in state.items()}
    with reading(path, FIX, CheckpointError):
        size = os.path.getsize(path)
        require_fit(build_without_memory(card.backbone, 'backbone', size), state, path, FIX)
        backbone = build_model(card.backbone, 'backbone', 'backbone')
        backbone.load_state_dict(state)
        preprocessor = build_model(card.preprocessor, 'preprocessor', 'preprocessor')
        pooling = None
        if card.pooling is not None:
            pooling = build_model(card.pooling, 'pooling', 'pooling')
        model = PretrainedModel(backbone, preprocessor, pooling, card, sha256, path)
        model.transform  # noqa: B018  (build it here, where errors name the file)
    for part in (backbone, preprocessor, pooling):
        if part is not None:
            part.requires_grad_(False)
            part.eval()  # mmaction2's ResNet3d returns None
    return model
