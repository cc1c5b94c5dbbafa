"""Video and image networks of Hugging Face's transformers, for frozen features."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmact_ssl.io.hf_folder import load_network, read_model
from mmact_ssl.registry import MODELS

CLIPS = 8  # in a forward pass; images: all


@MODELS.register_module()
class TransformersNetwork(BaseModule):
    """A network of transformers with its weights, pooled as :data:`FAMILIES` says.

    A network of images reads each frame; its features are averaged over a clip. Frozen features are
    computed in half precision on a GPU.

    Args:
        model, frames: As of :func:`read_model`.
    """

    def __init__(self, model: str, frames: int = 0, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        found = read_model(model, frames)
        self.family = found.family
        self.network = load_network(found)

    def init_weights(self) -> None:
        """Keep the weights of the folder."""

    def forward(self, clips: Tensor) -> Tensor:
        """Prepared clips ``(N, 3, T, h, w)`` to features ``(N, C, 1, 1, 1)``."""
        is_half = clips.is_cuda and not torch.is_grad_enabled()
        with torch.autocast(clips.device.type, torch.float16, enabled=is_half):
            size = CLIPS if self.family.frames else len(clips)
            values = [self._embed(part) for part in clips.transpose(1, 2).split(size)]
        return torch.cat(values).float()[:, :, None, None, None]

    def _embed(self, clips: Tensor) -> Tensor:
        """Features ``(N, C)`` of ``(N, T, 3, h, w)``."""
        is_video, pooling = bool(self.family.frames), self.family.pooling
        output = self.network(clips if is_video else clips.flatten(0, 1))
        if pooling == 'head':
            values = output.pooler_output
        else:
            tokens = output.last_hidden_state
            values = tokens.mean(1) if pooling == 'mean' else tokens[:, 0]
        return values if is_video else values.unflatten(0, clips.shape[:2]).mean(1)
