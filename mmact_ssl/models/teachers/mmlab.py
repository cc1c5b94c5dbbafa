"""Teachers of embeddings from mmpretrain, mmaction2, mmpose and mmsegmentation backbones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.io.weights import find_weights
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.models.teachers.mmlab_config import (
    build_network,
    load_model_config,
    load_parts,
    read_input,
    without_init,
)
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class MMLabTeacher(BaseTeacher):
    """Teacher that computes the last feature of a backbone, averaged over positions: ``(N, D)``.

    Image models and mmaction2's 2D recognizers (TSN) read frames ``(N, 3, H, W)``; 3D recognizers
    (SlowOnly, R(2+1)D) read clips ``(N, T, 3, H, W)``; SlowFast's two features are concatenated.
    Only the backbone's part of the checkpoint is read.

    Args:
        config: Config file, or ``mmpretrain::``, ``mmaction::``, ``mmpose::``, ``mmseg::`` and its
            path in the installed package. A clip has the frames of its test pipeline.
        checkpoint: Weights of the config, see :func:`find_weights`.
        input_size: Side or (height, width) to which the whole frame is stretched. None: the whole
            frame is letterboxed to the input of the config, which is of a top-down pose model.
        batch_size: See BaseTeacher.
    """

    kind = 'embedding'

    def __init__(
        self,
        config: str,
        checkpoint: str,
        input_size: int | Sequence[int] | None = None,
        batch_size: int = 8,
    ) -> None:
        loaded = load_model_config(config, 'MMLabTeacher')
        if 'backbone' not in loaded.model or not loaded.get('default_scope'):
            raise ConfigError(f'{config}: MMLabTeacher needs model.backbone and default_scope')
        model = without_init(loaded.model)
        recognizer = loaded.default_scope == 'mmaction'
        # A recognizer can call the backbones of timm and torchvision.
        built = {name: model[name] for name in ('type', 'backbone')}
        network = build_network(built if recognizer else model['backbone'], loaded.default_scope)
        is_3d = recognizer and _is_3d(network, config)
        window = _read_window(loaded, config) if is_3d else None
        frame_input = read_input(loaded, config, input_size)
        backbone = network.backbone if recognizer else network
        if getattr(backbone, 'num_segments', None) is not None:
            raise ConfigError(
                f'{config} shifts features between the frames of a clip, but a 2D recognizer reads '
                'single frames here: choose another network'
            )
        checkpoint = find_weights(checkpoint, 'checkpoint of MMLabTeacher')
        identity = {'model': built, 'input': frame_input.identity(), 'window': window}
        super().__init__(identity, {'checkpoint': checkpoint}, batch_size)
        load_parts(backbone, checkpoint, ('backbone',), 'backbone.')
        self.window = window
        self._recognizer = recognizer
        self._input = frame_input
        self.freeze_external(network)

    def predict(self, frames: Tensor) -> Tensor:
        """Embed uint8 frames ``(N, 3, H, W)`` or clips ``(N, T, 3, H, W)``: ``(N, D)``."""
        if self.window:
            images = self._input(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
            crops = images.transpose(1, 2)[:, None]  # (N, 1 crop, 3, T, h, w)
            return pool(self.frozen.extract_feat(crops, stage='backbone')[0])
        images = self._input(frames)
        if self._recognizer:
            return pool(self.frozen.extract_feat(images[:, None], stage='backbone')[0])
        features = self.frozen(images)
        # A tuple contains features of several depths; the deepest is used.
        return pool(features[-1] if isinstance(features, (tuple, list)) else features)


def pool(features: Any) -> Tensor:
    """Average a map ``(N, C, ...)`` over all positions to ``(N, C)``; several are concatenated."""
    if isinstance(features, (tuple, list)):
        return torch.cat([pool(feature) for feature in features], dim=1)
    if features.ndim == 3:
        raise ConfigError(
            f'a backbone gives tokens {list(features.shape)}: let it give a map or one vector '
            "(e.g. out_type='cls_token')"
        )
    return features.flatten(2).mean(2) if features.ndim > 3 else features


def _is_3d(network: Any, config: str) -> bool:
    from mmaction.models import Recognizer2D, Recognizer3D

    if not isinstance(network, (Recognizer2D, Recognizer3D)):
        raise ConfigError(f'{config} is a {type(network).__name__}, not a 2D or 3D recognizer')
    return isinstance(network, Recognizer3D)


def _read_window(loaded: Config, config: str) -> tuple[int, int]:
    for step in loaded.test_dataloader.dataset.pipeline:
        if step['type'].rpartition('.')[2] == 'SampleFrames':
            return int(step['clip_len']), int(step.get('frame_interval', 1))
    raise ConfigError(f'the test pipeline of {config} has no SampleFrames: add it')
