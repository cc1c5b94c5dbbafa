"""Teachers of embeddings from video and image networks of Hugging Face's transformers."""

from __future__ import annotations

import torch
from torch import Tensor

from mmact_ssl.datasets.transforms.reading import ProcessFrames
from mmact_ssl.io.hf_folder import read_model
from mmact_ssl.models.backbones.transformers_network import TransformersNetwork
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class TransformersTeacher(BaseTeacher):
    """The feature of a clip, or of a frame by a network of images: ``(N, D)``.

    The network sees what its own preprocessing leaves of a frame, mostly the center.

    Args:
        model, frames: See :func:`read_model`.
        stride: Of a clip's frames.
        batch_size: See BaseTeacher.
    """

    kind = 'embedding'

    def __init__(self, model: str, frames: int = 0, stride: int = 4, batch_size: int = 4) -> None:
        found = read_model(model, frames)
        self.window = (found.frames, stride) if found.family.frames else None
        super().__init__({'window': self.window}, found.files, batch_size)
        self._name, self.channels = found.folder.name, found.channels
        self._input = ProcessFrames(str(found.folder))
        self.freeze_external(TransformersNetwork(str(found.folder), found.frames))

    @property
    def source(self) -> str:
        """Description of the teacher for people."""
        return f'TransformersTeacher({self._name})'

    def predict(self, frames: Tensor) -> Tensor:
        """Embed uint8 frames ``(N, 3, H, W)`` or clips ``(N, T, 3, H, W)``: ``(N, D)``."""
        clips = frames if self.window else frames[:, None]
        pixels = [self._input.prepare(clip.movedim(1, -1).cpu().numpy()) for clip in clips]
        return self.frozen(torch.stack(pixels).transpose(1, 2).to(self.device)).flatten(1)
