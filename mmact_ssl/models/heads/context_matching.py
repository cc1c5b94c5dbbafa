"""CSVR's discriminative context matching."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmact_ssl.models.heads.pretext_head import PretextHead
from mmact_ssl.models.heads.terms import Term, Terms, mean_term
from mmact_ssl.models.losses.common import gather
from mmact_ssl.models.networks.projector import make_plain_projector
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class ContextMatchingHead(PretextHead):
    """Match a clip's static feature with the I-frames of its video.

    ``loss = ( multi-instance InfoNCE of clips to I-frames + the same of I-frames to clips ) / 2``.
    The matching of video against I-frame features is published (arXiv 2401.07584, abstract); the
    multi-instance InfoNCE is as reported; encoder, projectors and temperature are our choice.

    Args:
        frame_encoder: The 2D network of the I-frames, trained with the rest.
        frame_channels: Channels of its last map.
        inputs: Names of ``static`` ``(B, C, T', H', W')``, ``keyframes`` ``(B, 3, K, H, W)`` and
            ``valid`` bool ``(B, K)``.
    """

    inputs = dict(static='clip.static', keyframes='keyframes', valid='targets.keyframes.valid')

    def __init__(
        self,
        in_channels: int,
        frame_encoder: dict,
        frame_channels: int = 512,
        embedding_dim: int = 128,
        hidden_dim: int = 512,
        loss: dict = dict(type='MultiInstanceInfoNCELoss', temperature=0.07),
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(inputs, loss, init_cfg)
        self.frame_encoder = MODELS.build(frame_encoder)
        self.clip_projector = make_plain_projector(in_channels, hidden_dim, embedding_dim)
        self.frame_projector = make_plain_projector(frame_channels, hidden_dim, embedding_dim)

    def embed(self, static: Tensor, keyframes: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings of the clips ``(B, D)`` and of the I-frames ``(B, K, D)``.

        Padded I-frames are never encoded, because batch normalization would see them.
        """
        clips = self.clip_projector(static.flatten(2).mean(2))
        features = self.frame_encoder(keyframes.transpose(1, 2)[valid])  # (sum of valid, ...)
        if isinstance(features, (tuple, list)):
            features = features[-1]
        embedded = self.frame_projector(features.flatten(2).mean(2))
        frames = embedded.new_zeros(*valid.shape, embedded.shape[1])
        return clips, frames.masked_scatter(valid[..., None], embedded)

    def terms(self, static: Tensor, keyframes: Tensor, valid: Tensor) -> Terms:
        """Compute both losses, the accuracy of a clip's best I-frame, and its chance level."""
        clips, frames = self.embed(static, keyframes, valid)
        outputs = self.loss_module(clips, frames, valid)
        count = valid.sum(1)
        has_key = (count > 0).to(outputs['hit'].dtype)
        with torch.no_grad():
            # For pictures: among the I-frames of this process only.
            cosine = normalize(clips, dim=-1) @ normalize(frames, dim=-1).flatten(0, 1).T
        return dict(
            loss_clips=Term(outputs['sample_loss'] / 2, has_key),
            loss_keyframes=mean_term(outputs['key_loss'] / 2, valid),
            accuracy=Term(outputs['hit'], has_key),
            chance=Term(count / gather(valid).sum().clamp(min=1), has_key),
            similarity=cosine.masked_fill(~valid.flatten(), -1),
        )
