"""Image classifiers from mmpretrain: one embedding of each frame."""

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
    without_init,
)
from mmact_ssl.models.teachers.weights import find_weights
from mmact_ssl.registry import MODELS

STAGES = ('pre_logits', 'neck')


@MODELS.register_module()
class MMPretrainTeacher(BaseTeacher):
    """What an image classifier of mmpretrain knows just before it names the class: [N, D].

    Args:
        config: Mmpretrain config file, or ``mmpretrain::`` and its path in the installed
        mmpretrain. checkpoint: Its weights, see :func:`find_weights`.
        stage: Of mmpretrain's ``extract_feat``: ``'pre_logits'``, the classifier's input, or
            ``'neck'``, the pooled map, for which the checkpoint needs no head
            (``torchvision://resnet50``).
        input_size: None: as the config's test pipeline resizes and crops. Else a side or (height,
            width) to which the whole frame is stretched.
        batch_size, precision: See BaseTeacher.

    Raises:
        DataError: A file is missing.
        ConfigError: Not a classifier's config, or one that does not say the input's size.
        CheckpointError: The weights are not the model's.
    """

    kind = 'embedding'

    def __init__(
        self,
        config: str,
        checkpoint: str,
        stage: str = 'pre_logits',
        input_size: int | Sequence[int] | None = None,
        batch_size: int = 16,
        precision: str = 'float32',
    ) -> None:
        name = type(self).__name__
        if stage not in STAGES:
            raise ConfigError(f'stage={stage!r} of {name}: use one of {STAGES}')
        loaded = load_model_config(config, name)
        model = without_init(loaded.model)
        parts: tuple[str, ...] = ('backbone', 'neck', 'head')
        if stage == 'neck':
            model['head'], parts = None, ('backbone', 'neck')
        frame_input = read_input(loaded, config, input_size)
        identity = {'model': model, 'input': frame_input.identity(), 'stage': stage}
        checkpoint = find_weights(checkpoint, f'checkpoint of {name}')
        super().__init__(identity, {'checkpoint': checkpoint}, batch_size, precision)

        network = build_network(model, 'mmpretrain')
        if not hasattr(network, 'extract_feat'):
            raise ConfigError(f'{config} is a {type(network).__name__}, which has no extract_feat')
        load_parts(network, checkpoint, parts)
        self._input = frame_input
        self._stage = stage
        self._network: tuple[Any, ...] = (self.hide(network),)

    def predict(self, frames: Tensor) -> Tensor:
        """Embed frames: uint8 [N, 3, H, W] to float32 [N, D]."""
        features = self._network[0].extract_feat(self._input(frames), stage=self._stage)
        # A tuple holds several depths, of which the classifier reads the last.
        return pool(features[-1] if isinstance(features, (tuple, list)) else features)
