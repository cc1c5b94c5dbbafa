"""MS2L's motion prediction."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.losses import global_mean
from mmact_ssl.models.networks.packed_gru import run_packed_gru
from mmact_ssl.models.skeleton_shape import check_skeleton_shape, skeleton_shape
from mmact_ssl.models.skeleton_validity import clip_lengths
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead


@MODELS.register_module()
class MotionPredictionHead(PretextHead):
    """Predict the whole clip from the features of one whose end is masked.

    A GRU of two layers over the student's frames and a linear layer to the coordinates of all
    persons; mean squared error. As published (MS2L, arXiv 2010.05599, and its released code, which
    leaves the decoder at torch's own initialization), but for what counts: here the coordinates of
    valid frames and present persons. The released code sets predictions in the padding to
    0, counts those frames in the mean, and has absent persons predicted as 0. Its loss
    is the smaller the more a batch is padded; ``count='all'`` gives it.

    Works on any backbone (our choice): features are averaged over joints and over the persons
    present, and where the map has fewer frames than the clip, frame t reads the map's frame
    ``floor(t * T' / T)``.

    Args:
        in_channels: Channels of the feature map.
        layout: Name of the joint layout.
        num_persons, coordinates: M and C of the clip.
        hidden_size, num_layers: Of the decoder.
        count: ``'valid'``, or ``'all'`` as published.
        reads: Sources of ``feature_map``, ``clip``, ``clip_valid``.

    Raises:
        ConfigError: There is no such layout, or an unknown ``count``.
    """

    def __init__(
        self,
        in_channels: int,
        layout: str,
        num_persons: int = 1,
        coordinates: int = 3,
        hidden_size: int = 600,
        num_layers: int = 2,
        count: str = 'valid',
        reads: Optional[dict[str, str]] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        defaults = dict(feature_map='masked.feature_map', clip='clip', clip_valid='clip_valid')
        super().__init__({**defaults, **(reads or {})}, init_cfg)
        if count not in ('valid', 'all'):
            raise ConfigError(f"MotionPredictionHead: count={count!r}, use 'valid' or 'all'")
        self.count = count
        self.shape = skeleton_shape('MotionPredictionHead', layout, num_persons, coordinates)
        self.decoder = nn.GRU(in_channels, hidden_size, num_layers, batch_first=True)
        self.output = nn.Linear(hidden_size, num_persons * self.shape[1] * coordinates)

    def _frames(self, feature_map: Tensor, valid: Tensor) -> Tensor:
        """The feature of each of the clip's frames, ``[B, M', C', T', V'] -> [B, T, C']``."""
        features = feature_map.mean(4)  # (B, M', C', T')
        if feature_map.shape[1] > 1:
            present = valid.any(2).to(features.dtype)  # (B, M)
            weight = present / present.sum(1, keepdim=True)
            features = features * weight[:, :, None, None]
        features = features.sum(1).transpose(1, 2)  # (B, T', C')
        time = valid.shape[2]
        if features.shape[1] == time:
            return features
        source = torch.arange(time, device=feature_map.device) * features.shape[1] // time
        # Frame t of L valid ones reads one below ceil(L * T' / T): never a padded one.
        return features[:, source]

    def _decode(self, feature_map: Tensor, clip: Tensor, valid: Tensor) -> Tensor:
        """Predicted coordinates ``[B, M, T, V, C]``."""
        check_skeleton_shape('MotionPredictionHead', clip, self.shape)
        decoded = run_packed_gru(
            self.decoder, self._frames(feature_map, valid), clip_lengths(valid)
        )
        return self.output(decoded).unflatten(2, self.shape).transpose(1, 2)

    @staticmethod
    def _errors(prediction: Tensor, clip: Tensor, valid: Tensor) -> Tensor:
        """Mean distance of the joints of each clip ``[B]``, in the unit of the coordinates."""
        distance = (prediction - clip).norm(dim=4).mean(3)  # (B, M, T)
        return (distance * valid).sum((1, 2)) / valid.sum((1, 2))

    def loss(self, feature_map: Tensor, clip: Tensor, clip_valid: Tensor) -> dict[str, Tensor]:
        """Mean squared error, and the mean distance of the joints.

        Args:
            feature_map: ``[B, M', C', T', V']``, the student's map of the masked clip.
            clip: ``[B, M, T, V, C]``, 0 in the padding.
            clip_valid: bool ``[B, M, T]``.

        Raises:
            ConfigError: The clip's persons, joints or coordinates are not those of the head.
        """
        prediction = self._decode(feature_map, clip, clip_valid)
        square = (prediction - clip).square().mean((3, 4))  # (B, M, T)
        if self.count == 'valid':
            loss = global_mean(square, clip_valid.to(square.dtype))
        else:
            within = clip_valid.any(1, keepdim=True).to(square.dtype)  # (B, 1, T)
            loss = global_mean(square * within, torch.ones_like(square))
        with torch.no_grad():
            error = self._errors(prediction, clip, clip_valid).mean()
        return dict(loss=loss, error=error)

    def predict(self, feature_map: Tensor, clip: Tensor, clip_valid: Tensor) -> dict[str, Tensor]:
        """Coordinates ``[B, M, T, V, C]``, and each clip's mean joint distance ``[B]``."""
        prediction = self._decode(feature_map, clip, clip_valid)
        return dict(coordinates=prediction, error=self._errors(prediction, clip, clip_valid))
