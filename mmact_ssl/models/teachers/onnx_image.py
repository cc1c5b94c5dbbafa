"""Any image network in an ONNX file, run by onnxruntime: embeddings or maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.models.teachers.mmlab import pool
from mmact_ssl.models.teachers.mmseg_parsing import check_parts, merge
from mmact_ssl.models.teachers.onnx_session import open_session
from mmact_ssl.models.teachers.preprocessing import FrameInput, pair, scale
from mmact_ssl.models.teachers.weights import find_weights
from mmact_ssl.registry import MODELS

ACTIVATIONS = ('none', 'sigmoid', 'softmax')
NUMBER_TYPES = {'tensor(float)': np.float32, 'tensor(uint8)': np.uint8, 'tensor(int32)': np.int32}


@MODELS.register_module()
class OnnxTeacher(BaseTeacher):
    """An embedding [N, D] or maps [N, C, h, w] by an ONNX network that reads one image.

    Args:
        model: The ONNX file, see :func:`find_weights`.
        kind: ``'embedding'`` (a map is averaged over its positions) or ``'map'``.
        input_size: Side or (height, width) of the input, pixels.
        axes: Of the input and of a map in the output: ``'NCHW'`` or ``'NHWC'``.
        mean, std: The input is (value - mean) / std of values 0..255, per channel.
        bgr: Whether the network reads blue first.
        resize: How the frame becomes the input: ``'stretch'`` or ``'letterbox'`` (black border, cut
            off maps again).
        output: Name of the output; None: the only one.
        activation: Of a map, to make it a probability: ``'none'``, ``'sigmoid'`` or ``'softmax'``.
        map_size: (h, w) of maps; None: the network's own. Needed with a letterbox, else frames of
            another aspect would have maps of another size.
        parts: Part -> channels of the map, added; None: every channel.
        layout: Name of the parts' order.
        batch_size: Frames per pass; what the file says, if it says.
        num_threads: Threads of onnxruntime. One by default: extraction runs many processes.
        providers: Execution providers of onnxruntime, e.g. ('CUDAExecutionProvider',).

    Raises:
        DataError: The file is missing.
        ConfigError: onnxruntime is not installed, or the file's input or output is another.
    """

    def __init__(
        self,
        model: str,
        kind: str,
        input_size: int | Sequence[int],
        axes: str = 'NCHW',
        mean: Sequence[float] = (0, 0, 0),
        std: Sequence[float] = (255, 255, 255),
        bgr: bool = False,
        resize: str = 'stretch',
        output: str | None = None,
        activation: str = 'none',
        map_size: int | Sequence[int] | None = None,
        parts: Mapping[str, Sequence[int]] | None = None,
        layout: str = '',
        batch_size: int = 1,
        num_threads: int = 1,
        providers: Sequence[str] = ('CPUExecutionProvider',),
    ) -> None:
        for name, value, known in (
            ('kind', kind, ('embedding', 'map')),
            ('axes', axes, ('NCHW', 'NHWC')),
            ('resize', resize, ('stretch', 'letterbox')),
            ('activation', activation, ACTIVATIONS),
        ):
            if value not in known:
                raise ConfigError(f'{name}={value!r} of OnnxTeacher: use one of {known}')
        if kind == 'map' and resize == 'letterbox' and map_size is None:
            raise ConfigError("OnnxTeacher with resize='letterbox': set map_size of the maps")
        means, deviations = (tuple(float(v) for v in values) for values in (mean, std))
        frame_input = FrameInput(pair(input_size), means, deviations, bgr, resize)
        model = find_weights(model, 'model of OnnxTeacher')
        identity = {
            'kind': kind,
            'input': frame_input.identity(),
            'axes': axes,
            'output': output,
            'activation': activation,
            'map_size': None if map_size is None else pair(map_size),
            'parts': None if parts is None else [[part, list(parts[part])] for part in parts],
            'layout': layout,
        }
        super().__init__(identity, {'model': model}, batch_size)
        self.kind = kind
        self.layout = layout
        self._input = frame_input
        self._axes = axes
        self._activation = activation
        self._map_size = None if map_size is None else pair(map_size)
        self._session: Any = open_session(model, 'OnnxTeacher', num_threads, providers)
        self._check_input(model)
        self._output = _find_output(self._session, output, model)
        self._channels = None
        if parts is not None:
            one = self._run(torch.zeros(batch_size, 3, 8, 8, dtype=torch.uint8))
            self._channels = check_parts(parts, one.shape[1], model, layout)

    def predict(self, frames: Tensor) -> Tensor:
        """Run on frames: uint8 [N, 3, H, W] to float32 [N, D] or [N, C, h, w]."""
        output = self._run(frames)
        if self.kind == 'embedding':
            return pool(output)
        maps = self._input.without_border(self._activate(output), *frames.shape[2:])
        if self._map_size is not None:
            maps = scale(maps, self._map_size)
        return merge(maps, self._channels).clamp(0, 1)

    def _run(self, frames: Tensor) -> Tensor:
        """The raw output, a map as [N, C, h, w]."""
        images = self._input(frames)
        if self._axes == 'NHWC':
            images = images.permute(0, 2, 3, 1)
        array = images.cpu().numpy().astype(self._number_type)
        (output,) = self._session.run([self._output], {self._input_name: array})
        result = torch.from_numpy(np.asarray(output, np.float32)).to(frames.device)
        if self.kind == 'map' and result.ndim != 4:
            raise ConfigError(
                f'{self.source}: output {self._output!r} is {list(result.shape)}, a map has 4 '
                "axes: set output, or kind='embedding'"
            )
        return result.permute(0, 3, 1, 2) if result.ndim == 4 and self._axes == 'NHWC' else result

    def _activate(self, maps: Tensor) -> Tensor:
        if self._activation == 'none':
            return maps
        return maps.sigmoid() if self._activation == 'sigmoid' else maps.softmax(1)

    def _check_input(self, model: str) -> None:
        """Compare the file's input with ours; names and None in its shape are free."""
        found = self._session.get_inputs()[0]
        size = [3, *self._input.size] if self._axes == 'NCHW' else [*self._input.size, 3]
        wanted = [self.batch_size, *size]
        same = len(found.shape) == 4 and all(
            not isinstance(have, int) or have == want for have, want in zip(found.shape, wanted)
        )
        if not same or found.type not in NUMBER_TYPES or len(self._session.get_inputs()) != 1:
            raise ConfigError(
                f'{model}: its input is {found.type} {found.shape}, the teacher gives {wanted}: '
                'correct input_size, axes or batch_size'
            )
        self._input_name = found.name
        self._number_type = NUMBER_TYPES[found.type]


def _find_output(session: Any, wanted: str | None, model: str) -> str:
    names = [output.name for output in session.get_outputs()]
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted is None or wanted not in names:
        raise ConfigError(f'{model} has the outputs {names}: set output of OnnxTeacher to one')
    return wanted
