"""Pose teachers in ONNX files, run by onnxruntime: MoveNet."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.errors import ConfigError, import_extra, reason_of
from mmact_ssl.io.weights import find_weights
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.models.teachers.preprocessing import letterbox_geometry
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class OnnxPoseTeacher(BaseTeacher):
    """Teacher of one person's pose by an ONNX model with MoveNet's interface.

    The input is int32 ``(1, S, S, 3)``, RGB 0..255, the letterboxed frame; the output is
    ``(1, 1, V, 3)``: y, x as fractions of the square, score 0..1 (Google's MoveNet SinglePose
    Lightning, S = 192, and Thunder, S = 256).

    Args:
        model: The ONNX file, see :func:`find_weights`.
        input_size: S in pixels.
    """

    layout = 'coco17'

    def __init__(self, model: str, input_size: int) -> None:
        model = find_weights(model, 'model of OnnxPoseTeacher')
        super().__init__({'input_size': input_size, 'layout': self.layout}, {'model': model})
        self.input_size = input_size
        self._session = _open_session(model)
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


def _open_session(model: str) -> Any:
    """Open a network with one thread, since extraction runs many processes."""
    onnxruntime = import_extra('onnxruntime', 'OnnxPoseTeacher', 'onnx')
    onnx = import_extra('onnx', 'OnnxPoseTeacher', 'onnx')
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        network = onnx.load(model, load_external_data=False)
        # What the check does not see, onnxruntime must not run.
        network.DiscardUnknownFields()
        onnx.checker.check_model(network)
        loops = {node.op_type for node in network.graph.node} & {'Loop', 'Scan', 'If'}
        if loops or network.functions:
            raise ValueError('it has loops or functions, which may run without end')
        checked = network.SerializeToString()
        return onnxruntime.InferenceSession(checked, options, ['CPUExecutionProvider'])
    except Exception as error:  # onnxruntime's errors have no public base class
        raise ConfigError(
            f'{model}: onnxruntime cannot run it ({reason_of(error)}), see OnnxPoseTeacher'
        ) from error
