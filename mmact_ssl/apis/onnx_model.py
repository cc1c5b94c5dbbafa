"""A published model in an ONNX file, run by onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

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
    """The graph of a published ONNX file, from normalized inputs to features, on the CPU.

    Args:
        content: Content of the file, checked by :func:`mmact_ssl.onnx_file.read_onnx`.
        feature_dim: Length C of a feature.
        path: Path of the file, for errors.
    """

    def __init__(self, content: bytes, feature_dim: int, path: str) -> None:
        super().__init__()
        onnxruntime = import_extra('onnxruntime', path, 'onnx')
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # its errors are raised, too
        self.feature_dim, self.path = feature_dim, path
        self.session = onnxruntime.InferenceSession(content, options, ['CPUExecutionProvider'])
        ends = self.session.get_inputs(), self.session.get_outputs()
        if [[part.name for part in parts] for parts in ends] != [[INPUT], [OUTPUT]]:
            raise ValueError(f'its graph does not turn {INPUT!r} into {OUTPUT!r}')

    def forward(self, inputs: Tensor) -> Tensor:
        """Features ``(B, C)`` of a normalized batch ``(B, num_clips, ...)``."""
        with reading(self.path, FIX, CheckpointError):
            (values,) = self.session.run([OUTPUT], {INPUT: inputs.float().numpy()})
            if values.shape != (len(inputs), self.feature_dim):
                raise ValueError(
                    f'it gives features {list(values.shape)}, its card has {self.feature_dim}'
                )
        return torch.from_numpy(values)


@dataclass
class OnnxModel(PretrainedModel):
    """A published model whose ``backbone``, an :class:`OnnxNetwork`, computes the features."""

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


def load_onnx(path: str, sha256: str) -> OnnxModel:
    """Load a published ONNX file of this sha256, see :func:`mmact_ssl.apis.load.load_file`.

    Raises:
        CheckpointError: The file is missing, damaged or refused.
        ConfigError: onnx or onnxruntime is not installed.
    """
    content, metadata = read_onnx(path)
    with reading(path, FIX, CheckpointError):
        card = card_from(parse_card(metadata, path))
        backbone = OnnxNetwork(content, card.feature_dim, path)
        preprocessor = build_model(card.preprocessor, 'preprocessor', 'preprocessor')
        model = OnnxModel(backbone, preprocessor, None, card, sha256, path)
        model.transform  # noqa: B018  (build it here, where errors name the file)
    preprocessor.eval()
    return model
