"""Recognizers from mmaction2: one embedding of each frame or clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.config import Config
from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.models.teachers.mmlab import (
    build_network,
    load_model_config,
    load_parts,
    pool,
    read_input,
    without_init,
)
from mmact_ssl.models.teachers.weights import find_weights
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class MMActionTeacher(BaseTeacher):
    """The pooled map of an mmaction2 recognizer's backbone: the video's or image's action teacher.

    A 2D recognizer (TSN) reads single frames: [N, 3, H, W] to [N, D]. A 3D one (SlowOnly,
    R(2+1)D) reads clips: [N, T, 3, H, W] to [N, D], averaged over time and space; SlowFast's two
    maps are put side by side. The checkpoint's classifier is not read, so a network of any data set
    will do, one that this package has pre-trained too.

    Args:
        config: Mmaction2 config file, or ``mmaction::`` and its path in the installed mmaction2.
        checkpoint: Its weights, see :func:`find_weights`.
        window: (number of frames, stride) of a clip. None: of the config's test pipeline for a 3D
            recognizer, single frames for a 2D one. A 2D one with a window averages over the clip's
            frames; those that shift features between frames (TSM) need one of their
            ``num_segments``.
        input_size: None: as the config's test pipeline resizes, and its center crop. Else a side
            or (height, width) to which the whole frame is stretched.
        batch_size: Frames or clips per forward pass.
        precision: See BaseTeacher.

    Raises:
        DataError: A file is missing.
        ConfigError: Not a 2D or 3D recognizer, or its window or input size is unknown.
        CheckpointError: The weights are not the backbone's.
    """

    kind = 'embedding'

    def __init__(
        self,
        config: str,
        checkpoint: str,
        window: Sequence[int] | None = None,
        input_size: int | Sequence[int] | None = None,
        batch_size: int = 8,
        precision: str = 'float32',
    ) -> None:
        name = type(self).__name__
        loaded = load_model_config(config, name)
        frame_input = read_input(loaded, config, input_size)
        # Without the head, whose number of classes is the data set's.
        model = {
            key: value
            for key, value in without_init(loaded.model).items()
            if key in ('type', 'backbone')
        }
        network = build_network(model, 'mmaction')
        is_3d = _is_3d(network, config)
        clip_window = _find_window(loaded, config, is_3d, window)
        _check_segments(network, config, clip_window)
        checkpoint = find_weights(checkpoint, f'checkpoint of {name}')
        identity = {'model': model, 'input': frame_input.identity(), 'window': clip_window}
        super().__init__(identity, {'checkpoint': checkpoint}, batch_size, precision)
        load_parts(network, checkpoint, ('backbone',))
        self.window = clip_window
        self._is_3d = is_3d
        self._input = frame_input
        self._network: tuple[Any, ...] = (self.hide(network),)

    def predict(self, frames: Tensor) -> Tensor:
        """Embed uint8 frames [N, 3, H, W] or clips [N, T, 3, H, W]: float32 [N, D]."""
        clips = frames if self.window else frames[:, None]
        images = self._input(clips.flatten(0, 1)).unflatten(0, clips.shape[:2])  # (N, T, 3, h, w)
        if self._is_3d:
            images = images.transpose(1, 2)[:, None]  # (N, 1 crop, 3, T, h, w)
        features, _ = self._network[0].extract_feat(images, stage='backbone')
        pooled = pool(features)
        return pooled if self._is_3d else pooled.unflatten(0, clips.shape[:2]).mean(1)


def _is_3d(network: Any, config: str) -> bool:
    from mmaction.models import Recognizer2D, Recognizer3D

    if not isinstance(network, (Recognizer2D, Recognizer3D)):
        raise ConfigError(f'{config} is a {type(network).__name__}, not a 2D or 3D recognizer')
    return isinstance(network, Recognizer3D)


def _find_window(
    loaded: Config, config: str, is_3d: bool, window: Sequence[int] | None
) -> tuple[int, int] | None:
    if window is not None:
        num_frames, stride = window
        if min(num_frames, stride) < 1:
            raise ConfigError(f'window={tuple(window)} of MMActionTeacher: at least (1, 1)')
        return int(num_frames), int(stride)
    if not is_3d:
        return None
    for step in loaded.test_dataloader.dataset.pipeline:
        if step['type'].rpartition('.')[2] == 'SampleFrames':
            return int(step['clip_len']), int(step.get('frame_interval', 1))
    raise ConfigError(
        f'the test pipeline of {config} has no SampleFrames: set window=(frames, stride) of the '
        'teacher'
    )


def _check_segments(network: Any, config: str, window: tuple[int, int] | None) -> None:
    """Refuse single frames to a 2D backbone that mixes neighbors: it would mix the batch."""
    segments = getattr(network.backbone, 'num_segments', None)
    if segments is not None and (window is None or window[0] != segments):
        raise ConfigError(
            f'{config} mixes {segments} frames: set window=({segments}, stride) of the teacher'
        )
