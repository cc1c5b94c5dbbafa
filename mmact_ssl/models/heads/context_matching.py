"""CSVR's discriminative context matching."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn

from mmact_ssl.models.losses import multi_instance_info_nce
from mmact_ssl.models.networks.projector import make_plain_projector
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead


@MODELS.register_module()
class ContextMatchingHead(PretextHead):
    """Match a clip's static feature with the I-frames of its video.

    The matching of video against I-frame features is published (arXiv 2401.07584, abstract); the
    multi-instance InfoNCE is as reported; encoder, projectors and temperature are our choice.

    Args:
        in_channels: Channels of the static map.
        frame_encoder: The 2D network of the I-frames, trained with the rest.
        frame_channels: Channels of its last map.
        embedding_dim: Size of the shared space.
        hidden_dim: Size of the projectors' hidden layer.
        temperature: Of the InfoNCE.
        reads: Sources of ``static``, ``keyframes``, ``keyframes_valid``.
    """

    def __init__(
        self,
        in_channels: int,
        frame_encoder: dict,
        frame_channels: int = 512,
        embedding_dim: int = 128,
        hidden_dim: int = 512,
        temperature: float = 0.07,
        reads: Optional[dict[str, str]] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        defaults = dict(
            static='clip.static', keyframes='keyframes', keyframes_valid='keyframes_valid'
        )
        super().__init__({**defaults, **(reads or {})}, init_cfg)
        self.frame_encoder = MODELS.build(frame_encoder)
        self.clip_projector = make_plain_projector(in_channels, hidden_dim, embedding_dim)
        self.frame_projector = make_plain_projector(frame_channels, hidden_dim, embedding_dim)
        self.temperature = temperature

    def embed(
        self, static: Tensor, keyframes: Tensor, keyframes_valid: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Embeddings of the clips ``[B, D]`` and of the I-frames ``[B, K, D]``.

        Padded I-frames are never encoded, because batch normalization would see them.
        """
        clips = self.clip_projector(static.flatten(2).mean(2))
        images = keyframes.transpose(1, 2)[keyframes_valid]  # (sum of valid, 3, H, W)
        features = self.frame_encoder(images)
        if isinstance(features, (tuple, list)):
            features = features[-1]
        embedded = self.frame_projector(features.flatten(2).mean(2))
        frames = embedded.new_zeros(*keyframes_valid.shape, embedded.shape[1])
        return clips, frames.masked_scatter(keyframes_valid[..., None], embedded)

    def loss(self, static: Tensor, keyframes: Tensor, keyframes_valid: Tensor) -> dict[str, Tensor]:
        """Multi-instance InfoNCE, and how often the best matching I-frame is the clip's own.

        Args:
            static: ``[B, C, T', H', W']``.
            keyframes: ``[B, 3, K, H, W]``, normalized.
            keyframes_valid: bool ``[B, K]``.
        """
        clips, frames = self.embed(static, keyframes, keyframes_valid)
        return multi_instance_info_nce(clips, frames, keyframes_valid, self.temperature)

    def predict(
        self, static: Tensor, keyframes: Tensor, keyframes_valid: Tensor
    ) -> dict[str, Tensor]:
        """Similarities ``[B, B * K]``, and per clip whether its best I-frame is its own.

        Chance is the share of the batch's I-frames that belong to the clip.
        """
        clips, frames = self.embed(static, keyframes, keyframes_valid)
        clips = nn.functional.normalize(clips, dim=-1)
        frames = nn.functional.normalize(frames, dim=-1)
        valid = keyframes_valid.flatten()
        similarity = (clips @ frames.flatten(0, 1).T).masked_fill(~valid, -1)
        owner = similarity.argmax(1) // keyframes_valid.shape[1]
        own_count = keyframes_valid.sum(1)
        undefined = torch.full_like(similarity[:, 0], float('nan'))
        hit = (owner == torch.arange(len(owner), device=owner.device)).to(similarity.dtype)
        return dict(
            similarity=similarity,
            accuracy=hit.where(own_count > 0, undefined),
            chance=(own_count / valid.sum()).where(own_count > 0, undefined),
        )
