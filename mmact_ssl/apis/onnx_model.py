"""A published model in an ONNX file, run by onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mmact_ssl.apis.card import FIX, card_from
from mmact_ssl.apis.model import PretrainedModel
from mmact_ssl.checkpoint_file import parse_card
from mmact_ssl.errors import CheckpointError, ConfigError, import_extra
from mmact_ssl.files import reading
from mmact_ssl.onnx_file import read_onnx
from mmact_ssl.parts import build_model

INPUT, OUTPUT = 'inputs', 'features'


class OnnxNetwork(nn.Module):
    """The graph of a published ONNX file, normalized inputs to features, on the CPU.

    Args:
        content: Of the file, checked by :func:`mmact_ssl.onnx_file.read_onnx`.
        feature_dim: C.
        path: Names the file in errors.
    """

    def __init__(self, content: bytes, feature_dim: int, path: str) -> None:
        super().__init__()
        onnxruntime = import_extra('onnxruntime', path, 'onnx')
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # it raises what it logs
        self.feature_dim, self.path = feature_dim, path
        self.session = onnxruntime.InferenceSession(content, options, ['CPUExecutionProvider'])
        names = [[part.name for part in parts] for parts in self._interface()]
        if names != [[INPUT], [OUTPUT]]:
            raise ValueError(f'its graph does not turn {INPUT!r} into {OUTPUT!r}')

    def _interface(self) -> tuple[list[Any], list[Any]]:
        return self.session.get_inputs(), self.session.get_outputs()

    def forward(self, inputs: Tensor) -> Tensor:
        """Features ``(B, C)`` of a normalized batch ``(B, num_clips, ...)``."""
        with reading(self.path, FIX, CheckpointError):
            (values,) = self.session.run([OUTPUT], {INPUT: inputs.float().numpy()})
            if values.shape != (len(inputs), self.feature_dim):
                raise ValueError(
                    f'it makes features {list(values.shape)}, its card has {self.feature_dim}'
                )
        return torch.from_numpy(values)


@dataclass
class OnnxModel(PretrainedModel):
    """A published model whose ``backbone``, an :class:`OnnxNetwork`, makes the whole feature."""

    default_device: ClassVar[str | None] = 'cpu'

    def to(self, device: str | torch.device) -> PretrainedModel:
        """Stay on the CPU; ConfigError for another device."""
        if torch.device(device).type != 'cpu':
            raise ConfigError(
                f'{self.path}: an ONNX file runs on the CPU, not on {device}: leave the device '
                'out, or take the .safetensors file'
            )
        return self

    def encode(self, inputs: Tensor) -> Tensor:
        """Features of a normalized batch."""
        return self.backbone(inputs)


def load_onnx(path: str) -> OnnxModel:
    """Load a published ONNX file, see :func:`mmact_ssl.apis.model.load_file`.

    Raises:
        CheckpointError: The file is missing, damaged or refused.
        ConfigError: onnx or onnxruntime is not installed.
    """
    content, metadata = read_onnx(path)
    digest = sha256(content).hexdigest()
    with reading(path, FIX, CheckpointError):
        card = card_from(parse_card(metadata, path))
        backbone = OnnxNetwork(content, card.feature_dim, path)
        preprocessor = build_model(card.preprocessor, 'preprocessor', 'preprocessor')
        model = OnnxModel(backbone, preprocessor, None, card, digest, path)
        model.transform  # noqa: B018  (built now, so that what is refused is refused here)
    preprocessor.eval()
    return model
