"""Teachers in ONNX files, run by onnxruntime: embeddings, maps, and MoveNet's poses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.errors import ConfigError, import_extra, reason_of
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.models.teachers.label_maps import check_parts, merge
from mmact_ssl.models.teachers.mmlab import pool
from mmact_ssl.models.teachers.preprocessing import FrameInput, letterbox_geometry, pair, scale
from mmact_ssl.registry import MODELS
from mmact_ssl.weights import find_weights

CPU = ('CPUExecutionProvider',)
ACTIVATIONS = {
    'none': lambda maps: maps,
    'sigmoid': torch.sigmoid,
    'softmax': lambda maps: maps.softmax(1),
}
ROUNDING = 1e-3  # tolerance of probabilities outside 0..1
NUMBER_TYPES = {'tensor(float)': np.float32, 'tensor(uint8)': np.uint8, 'tensor(int32)': np.int32}


@MODELS.register_module()
class OnnxTeacher(BaseTeacher):
    """Teacher that computes embeddings ``(N, D)`` or maps ``(N, C, h, w)`` by an ONNX network.

    Args:
        model: The ONNX file, see :func:`find_weights`.
        kind: ``'embedding'`` (a map is averaged over its positions) or ``'map'``.
        input_size: Side or (height, width) of the input in pixels.
        axes: Axes of the input and of a map in the output: ``'NCHW'`` or ``'NHWC'``.
        mean, std: The input is (value - mean) / std of values 0..255, per channel. A network that
            reads integers needs the values themselves: mean 0, std 1.
        bgr: The network reads BGR.
        resize: Resizing of the frame to the input: ``'stretch'``, or ``'letterbox'`` (with a black
            border, which is removed from maps).
        output: Name of the output; None: the only one.
        activation: Function that turns a map into probabilities: ``'none'``, ``'sigmoid'`` or
            ``'softmax'``. Maps that are then not in 0..1 are an error.
        map_size: (h, w) of maps; None: the network's own. It is required with a letterbox, because
            the size of the maps would depend on the aspect of the frames.
        parts: Part -> channels of the map that are added; None: every channel.
        layout: Name of the parts' order.
        batch_size: Frames per pass; the file's own number, if it is fixed.
        num_threads, providers: Of onnxruntime; one thread, since extraction runs many processes.
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
        providers: Sequence[str] = CPU,
    ) -> None:
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
        self._activate = ACTIVATIONS[activation]
        self._map_size = None if map_size is None else pair(map_size)
        self._session = _open_session(model, 'OnnxTeacher', num_threads, providers)
        self._check_input(model)
        names = [node.name for node in self._session.get_outputs()]
        self._output = names[0] if output is None and len(names) == 1 else output
        if self._output not in names:
            raise ConfigError(f'{model} has the outputs {names}: set output of OnnxTeacher to one')
        self._channels = None
        if parts is not None:
            maps = self._run(torch.zeros(batch_size, 3, 8, 8, dtype=torch.uint8))
            self._channels = check_parts(parts, maps.shape[1], model, layout)

    def predict(self, frames: Tensor) -> Tensor:
        """Run on uint8 frames ``(N, 3, H, W)``: float32 ``(N, D)`` or ``(N, C, h, w)``."""
        output = self._run(frames)
        if self.kind == 'embedding':
            return pool(output)
        maps = self._input.without_border(self._activate(output), *frames.shape[2:])
        lowest, highest = maps.min().item(), maps.max().item()
        if lowest < -ROUNDING or highest > 1 + ROUNDING:
            raise ConfigError(
                f'{self.source}: a map has values from {lowest:.4g} to {highest:.4g}, which are '
                "not probabilities: set activation='sigmoid' or 'softmax'"
            )
        if self._map_size is not None:
            maps = scale(maps, self._map_size)
        return merge(maps, self._channels).clamp(0, 1)

    def _run(self, frames: Tensor) -> Tensor:
        """Return the raw output, a map as ``(N, C, h, w)``."""
        images = self._input(frames)
        if self._axes == 'NHWC':
            images = images.permute(0, 2, 3, 1)
        if self._number_type != np.float32:
            images = images.round()
        array = images.cpu().numpy().astype(self._number_type)
        array = np.pad(array, [(0, max(0, self._fixed_batch - len(array))), *[(0, 0)] * 3])
        (output,) = self._session.run([self._output], {self._input_name: array})
        result = torch.from_numpy(np.asarray(output, np.float32)[: len(frames)]).to(frames.device)
        if self.kind == 'map' and result.ndim != 4:
            raise ConfigError(
                f'{self.source}: output {self._output!r} is {list(result.shape)}, a map has 4 '
                "axes: set output, or kind='embedding'"
            )
        return result.permute(0, 3, 1, 2) if result.ndim == 4 and self._axes == 'NHWC' else result

    def _check_input(self, model: str) -> None:
        """Compare the file's input with the teacher's; names and None in its shape match all."""
        node = self._session.get_inputs()[0]
        size = [3, *self._input.size] if self._axes == 'NCHW' else [*self._input.size, 3]
        shape = [self.batch_size, *size]
        same = len(node.shape) == 4 and all(
            not isinstance(have, int) or have == want for have, want in zip(node.shape, shape)
        )
        if not same or node.type not in NUMBER_TYPES or len(self._session.get_inputs()) != 1:
            raise ConfigError(
                f'{model}: its input is {node.type} {node.shape}, the teacher gives {shape}: '
                'correct input_size, axes or batch_size'
            )
        if node.type != 'tensor(float)' and (any(self._input.mean) or set(self._input.std) != {1}):
            raise ConfigError(
                f'{model}: its input is {node.type}, unscaled pixels 0..255: set '
                'mean=(0, 0, 0), std=(1, 1, 1) of OnnxTeacher'
            )
        # The last pass may have fewer frames than a file with a fixed batch size needs.
        self._fixed_batch = node.shape[0] if isinstance(node.shape[0], int) else 0
        self._input_name = node.name
        self._number_type = NUMBER_TYPES[node.type]


@MODELS.register_module()
class OnnxPoseTeacher(BaseTeacher):
    """Teacher of one person's pose by an ONNX model with MoveNet's interface.

    The input is int32 ``(1, S, S, 3)``, RGB 0..255, the letterboxed frame; the output is
    ``(1, 1, V, 3)``: y, x as fractions of the square, score 0..1 (Google's MoveNet SinglePose
    Lightning, S = 192, and Thunder, S = 256).

    Args:
        model: The ONNX file, see :func:`find_weights`.
        input_size: S in pixels.
        layout: Joint order of the output.
        num_threads, providers: See OnnxTeacher.
    """

    def __init__(
        self,
        model: str,
        input_size: int,
        layout: str = 'coco17',
        num_threads: int = 1,
        providers: Sequence[str] = CPU,
    ) -> None:
        model = find_weights(model, 'model of OnnxPoseTeacher')
        super().__init__({'input_size': input_size, 'layout': layout}, {'model': model})
        self.layout = layout
        self.input_size = input_size
        self._session = _open_session(model, 'OnnxPoseTeacher', num_threads, providers)
        node = self._session.get_inputs()[0]
        self._input = node.name
        if node.shape[-3:] != [input_size, input_size, 3] or len(self._session.get_outputs()) != 1:
            raise ConfigError(
                f"{model}: input is {node.shape}, MoveNet's [1, {input_size}, {input_size}, 3] is "
                'expected; correct input_size (192 for Lightning, 256 for Thunder)'
            )

    def predict(self, frames: Tensor) -> Tensor:
        """Find one person per frame: uint8 ``(N, 3, H, W)`` to float32 ``(N, V, 3)``."""
        images = frames.permute(0, 2, 3, 1).cpu().numpy()  # (N, H, W, 3)
        height, width = images.shape[1:3]
        num_joints = LAYOUTS[self.layout].num_joints
        poses = np.zeros((len(images), num_joints, 3), np.float32)
        for pose, image in zip(poses, images):
            square = letterbox(image, self.input_size)[None].astype(np.int32)
            (output,) = self._session.run(None, {self._input: square})
            y, x, score = output.reshape(num_joints, 3).T
            pose[:] = undo_letterbox(
                np.stack([x, y, score.clip(0, 1)], axis=-1), height, width, self.input_size
            )
        return torch.from_numpy(poses).to(frames.device)


def letterbox(image: np.ndarray, size: int) -> np.ndarray:
    """Scale an image ``(H, W, 3)`` uint8 into a black square ``(S, S, 3)``."""
    old_height, old_width = image.shape[:2]
    height, width, top, left = letterbox_geometry(old_height, old_width, (size, size))
    # Area averaging when shrinking, since bilinear sampling would alias.
    shrinks = max(image.shape[:2]) > size
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    square = np.zeros((size, size, 3), np.uint8)
    square[top : top + height, left : left + width] = cv2.resize(
        np.ascontiguousarray(image), (width, height), interpolation=interpolation
    )
    return square


def undo_letterbox(pose: np.ndarray, height: int, width: int, size: int) -> np.ndarray:
    """Convert x, y of ``(..., V, 3)`` from fractions of the square to fractions of the frame."""
    new_height, new_width, top, left = letterbox_geometry(height, width, (size, size))
    pose = np.array(pose, np.float64)
    pose[..., 0] = (pose[..., 0] * size - left) / new_width
    pose[..., 1] = (pose[..., 1] * size - top) / new_height
    return pose.astype(np.float32)


def _open_session(model: str, what: str, num_threads: int, providers: Sequence[str]) -> Any:
    onnxruntime = import_extra('onnxruntime', what, 'onnx')
    available = onnxruntime.get_available_providers()
    missing = [name for name in providers if name not in available]
    if missing:  # onnxruntime would use the CPU and only warn
        raise ConfigError(
            f'onnxruntime has no {missing[0]} ({what}), it has {available}: set providers, or '
            'pip install onnxruntime-gpu'
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(model, options, list(providers))
    except Exception as error:  # onnxruntime's errors have no public base class
        raise ConfigError(
            f'{model}: onnxruntime cannot run it ({reason_of(error)}), see {what}'
        ) from error
