"""MS2L's motion prediction."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmact_ssl.models.heads.pretext_head import PretextHead
from mmact_ssl.models.heads.terms import Term, Terms, mean_term
from mmact_ssl.models.networks.packed_gru import run_packed_gru
from mmact_ssl.models.skeletons import check_skeleton_shape, clip_lengths, find_layout, valid_frames
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class MotionPredictionHead(PretextHead):
    """Predict a whole clip from the features of the clip with a masked end.

    The decoder is a GRU of two layers over the student's frames and a linear layer to the
    coordinates of all persons; the loss is the mean squared error. This is as published (MS2L,
    arXiv 2010.05599, and its released code, with torch's own initialization of the decoder), except
    for the frames that count, see :class:`MotionLoss`.

    It works with any backbone (our choice): features are averaged over joints and over the present
    persons. If the map has fewer frames than the clip, frame t reads the map's frame
    ``floor(t * T' / T)``.

    Args:
        num_persons, coordinates: M and C of the clip.
        inputs: Names of ``feature_map`` ``(B, M', C', T', V')`` of the masked clip, ``masked``
            and ``clip`` ``(B, M, T, V, C)``, 0 in the padding, and ``valid`` bool ``(B, M, T)``.
    """

    inputs = dict(
        feature_map='masked.feature_map', masked='masked', clip='clip', valid='targets.clip.valid'
    )

    def __init__(
        self,
        in_channels: int,
        layout: str,
        num_persons: int = 1,
        coordinates: int = 3,
        hidden_size: int = 600,
        num_layers: int = 2,
        loss: dict = dict(type='MotionLoss'),
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(inputs, loss, init_cfg)
        self.shape = (num_persons, find_layout(layout).num_joints, coordinates)
        self.decoder = nn.GRU(in_channels, hidden_size, num_layers, batch_first=True)
        self.output = nn.Linear(hidden_size, num_persons * self.shape[1] * coordinates)

    def terms(self, feature_map: Tensor, masked: Tensor, clip: Tensor, valid: Tensor) -> Terms:
        """Compute the squared error, and mean distances of joints in units of the coordinates.

        ``error`` is over all frames, ``error_masked`` over the masked frames. For comparison, both
        are also computed for a copy of the shown frames that repeats the last one.
        """
        check_skeleton_shape('MotionPredictionHead', clip, self.shape)
        frames = self._frames(feature_map, valid)
        decoded = run_packed_gru(self.decoder, frames, clip_lengths(valid))
        prediction = self.output(decoded).unflatten(2, self.shape).transpose(1, 2)
        terms: Terms = dict(loss=mean_term(*self.loss_module(prediction, clip, valid)))
        shown = clip_lengths(valid_frames(masked))[:, None, None]  # (B, 1, 1)
        hidden = valid & (torch.arange(valid.shape[2], device=valid.device) >= shown)
        for suffix, answer in (('', prediction), ('_repeat_last', hold_last(masked))):
            distance = (answer - clip).detach().norm(dim=4).mean(3)  # (B, M, T)
            for name, frames in (('error', valid), ('error_masked', hidden)):
                # The mean over clips, independent of length. A clip may have no masked frame.
                has_frames = frames.flatten(1).any(1)
                terms[name + suffix] = Term(mean_term(distance, frames).value, has_frames)
        return dict(**terms, coordinates=prediction)

    @staticmethod
    def _frames(feature_map: Tensor, valid: Tensor) -> Tensor:
        """Feature of each frame of the clip, ``(B, M', C', T', V') -> (B, T, C')``."""
        features = feature_map.mean(4)  # (B, M', C', T')
        if feature_map.shape[1] > 1:
            present = valid.any(2).to(features.dtype)  # (B, M)
            weight = present / present.sum(1, keepdim=True)
            features = features * weight[:, :, None, None]
        features = features.sum(1).transpose(1, 2)  # (B, T', C')
        time = valid.shape[2]
        if features.shape[1] == time:
            return features
        # A frame t < L of L valid frames reads a frame below ceil(L * T' / T): never padding.
        return features[
            :, torch.arange(time, device=feature_map.device) * features.shape[1] // time
        ]


def hold_last(masked: Tensor) -> Tensor:
    """Repeat the last frame with a person to the end of each clip, ``(B, M, T, V, C)``."""
    last = clip_lengths(valid_frames(masked)) - 1  # (B,)
    frame = torch.arange(masked.shape[2], device=masked.device).minimum(last[:, None])  # (B, T)
    return masked.gather(2, frame[:, None, :, None, None].expand_as(masked))
