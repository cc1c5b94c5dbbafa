"""Pose networks in ONNX files, run by onnxruntime."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.models.teachers.onnx_session import open_session
from mmact_ssl.models.teachers.preprocessing import letterbox_geometry
from mmact_ssl.models.teachers.weights import find_weights
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class OnnxPoseTeacher(BaseTeacher):
    """One person's pose by an ONNX model with MoveNet's interface.

    Input int32 [1, S, S, 3], RGB 0..255, the frame letterboxed; output [1, 1, V, 3]: y, x as
    fractions of the square, score 0..1 (Google's MoveNet SinglePose Lightning, S = 192, and
    Thunder, S = 256). Each frame by itself, so that a cached and an online target are equal to
    the bit however the frames are batched.

    Args:
        model: The ONNX file, see :func:`find_weights`.
        input_size: S in pixels.
        layout: Joint order of the output.
        num_threads: Threads of onnxruntime. One by default: extraction runs many processes.
        providers: Execution providers of onnxruntime, e.g. ('CUDAExecutionProvider',).

    Raises:
        DataError: The file is missing.
        ConfigError: onnxruntime is not installed.
        ValueError: The file's input or output is not MoveNet's.
    """

    def __init__(
        self,
        model: str,
        input_size: int,
        layout: str = 'coco17',
        num_threads: int = 1,
        providers: tuple[str, ...] = ('CPUExecutionProvider',),
    ) -> None:
        model = find_weights(model, 'model of OnnxPoseTeacher')
        super().__init__({'input_size': input_size, 'layout': layout}, {'model': model})
        self.layout = layout
        self.input_size = input_size
        self._session: Any = open_session(model, 'OnnxPoseTeacher', num_threads, providers)
        self._input = self._session.get_inputs()[0].name
        found = self._session.get_inputs()[0].shape
        if found[-3:] != [input_size, input_size, 3] or len(self._session.get_outputs()) != 1:
            raise ValueError(
                f"{model}: input is {found}, MoveNet's [1, {input_size}, {input_size}, 3] is "
                'expected; correct input_size (192 for Lightning, 256 for Thunder)'
            )

    def predict(self, frames: Tensor) -> Tensor:
        """Find one person per frame: uint8 [N, 3, H, W] to float32 [N, V, 3]."""
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
    """Scale an image [H, W, 3] uint8 into a black square [S, S, 3]."""
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
    """Turn fractions of the square into fractions of the frame.

    Args:
        pose: [..., V, 3], x, y as fractions of the square, score.
        height, width: Of the frame, pixels.
        size: Side of the square, pixels.

    Returns:
        float32 [..., V, 3], x, y as fractions of the frame; outside 0..1 on the black border.
    """
    new_height, new_width, top, left = letterbox_geometry(height, width, (size, size))
    pose = np.array(pose, np.float64)
    pose[..., 0] = (pose[..., 0] * size - left) / new_width
    pose[..., 1] = (pose[..., 1] * size - top) / new_height
    return pose.astype(np.float32)
