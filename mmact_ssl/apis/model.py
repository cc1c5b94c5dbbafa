"""A published model in memory: its backbone, its preprocessing and its features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from mmact_ssl.apis.card import Card
from mmact_ssl.errors import CheckpointError
from mmact_ssl.evaluation.features import encode
from mmact_ssl.parts import build_pipeline


@dataclass
class PretrainedModel:
    """A published model, as :func:`mmact_ssl.apis.load_model` returns it, in evaluation mode.

    Attributes:
        backbone: Takes normalized float ``(N, C, T, H, W)`` (2D networks: frames ``(N, C, H, W)``),
            or skeletons ``(N, M, T, V, C)``.
        preprocessor: Collates and normalizes samples.
        pooling: Pooling of skeletons; None: the mean over positions.
        card: Card of the file.
        sha256: Hash of the file.
        path: Path of the file.
    """

    backbone: nn.Module
    preprocessor: nn.Module
    pooling: nn.Module | None
    card: Card
    sha256: str
    path: str

    @cached_property
    def stages(self) -> tuple[Any, Any, Any]:
        """The pipeline in three parts: it opens a video, chooses frames, and makes a sample."""
        steps = self.card.pipeline
        names = [step['type'].rpartition('.')[2] for step in steps]
        opened = 'ReadVideo' in names
        decoded = names.index('DecodeFrames') if opened else 0
        parts = steps[:opened], steps[opened:decoded], steps[decoded:]
        return build_pipeline(parts[0]), build_pipeline(parts[1]), build_pipeline(parts[2])

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
        """Features of a normalized batch, see :func:`mmact_ssl.evaluation.features.encode`.

        Raises:
            CheckpointError: They are not as long as the card says.
        """
        features = encode(self.backbone, inputs, self.pooling, self.card.deviation)
        if features.shape[1] != self.card.feature_dim:
            raise CheckpointError(
                f'{self.path}: its features have {features.shape[1]} values, its card says '
                f'feature_dim={self.card.feature_dim}: publish its training checkpoint '
                'with a --downstream config whose model.cls_head.in_channels fits the network'
            )
        return features
