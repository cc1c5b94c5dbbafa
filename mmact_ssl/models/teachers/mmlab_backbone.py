"""Backbones of OpenMMLab's image models: one embedding of each frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.models.teachers.mmlab import (
    build_network,
    load_model_config,
    load_parts,
    pool,
    read_input,
    scope_of,
    without_init,
)
from mmact_ssl.models.teachers.weights import find_weights
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class MMBackboneTeacher(BaseTeacher):
    """The pooled last map of a backbone that mmpose, mmsegmentation, mmdet or mmpretrain trained.

    What a pose or parsing network sees in a frame, without its answer: [N, D]. Only the backbone's
    part of the checkpoint is read, so that any head may have been trained on it.

    Args:
        config: Config file, or ``mmpose::``, ``mmseg::``, ... and its path in the installed
        package. checkpoint: Its weights, see :func:`find_weights`.
        input_size: None: as the test pipeline of mmpose or mmpretrain says. Else a side or (height,
            width) of the input.
        resize: How the whole frame gets a given ``input_size``: ``'stretch'`` or ``'letterbox'``.
        batch_size, precision: See BaseTeacher.

    Raises:
        DataError: A file is missing.
        ConfigError: No backbone, or a config that does not say the input's size.
        CheckpointError: The weights are not the backbone's.
    """

    kind = 'embedding'

    def __init__(
        self,
        config: str,
        checkpoint: str,
        input_size: int | Sequence[int] | None = None,
        resize: str = 'stretch',
        batch_size: int = 16,
        precision: str = 'float32',
    ) -> None:
        name = type(self).__name__
        loaded = load_model_config(config, name)
        if 'backbone' not in loaded.model:
            raise ConfigError(f'{config} has no model.backbone')
        backbone = without_init(loaded.model.backbone)
        frame_input = read_input(loaded, config, input_size, resize)
        checkpoint = find_weights(checkpoint, f'checkpoint of {name}')
        identity = {'backbone': backbone, 'input': frame_input.identity()}
        super().__init__(identity, {'checkpoint': checkpoint}, batch_size, precision)

        network = build_network(backbone, scope_of(loaded, config))
        load_parts(network, checkpoint, ('backbone',), 'backbone.')
        self._input = frame_input
        self._network: tuple[Any, ...] = (self.hide(network),)

    def predict(self, frames: Tensor) -> Tensor:
        """Embed frames: uint8 [N, 3, H, W] to float32 [N, D]."""
        features = self._network[0](self._input(frames))
        return pool(features[-1] if isinstance(features, (tuple, list)) else features)
