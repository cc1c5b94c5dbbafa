"""Teachers of frame embeddings from timm's image networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor

from mmact_ssl.errors import ConfigError, import_extra
from mmact_ssl.io.checkpoint_file import read_state_dict
from mmact_ssl.io.weights import LOADERS, find_weights
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.models.teachers.preprocessing import FrameInput, pair
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class TimmTeacher(BaseTeacher):
    """Teacher that computes the pooled feature before a timm network's classifier: ``(N, D)``.

    Args:
        model: Name of the network in timm, e.g. ``'tf_efficientnet_lite0'``.
        checkpoint: Weights with those of the classifier, see :func:`find_weights`.
        match: ``'name'``: weights have timm's names. ``'order'``: another implementation saved them
            with its own names, in the same order; see :func:`load_by_order`.
        input_size: Side or (height, width) to which the whole frame is stretched. None: timm's own
            size for the network.
        mean, std: Of each channel, RGB in units of 0..255; None: timm's.
        batch_size: See BaseTeacher.
    """

    kind = 'embedding'

    def __init__(
        self,
        model: str,
        checkpoint: str,
        match: str = 'name',
        input_size: int | Sequence[int] | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        batch_size: int = 16,
    ) -> None:
        timm = import_extra('timm', 'TimmTeacher')
        if not timm.is_model(model):
            close = get_close_matches(model.split('.')[0], timm.list_models())
            raise ConfigError(
                f'timm {timm.__version__} has no network {model!r}; did you mean {close}?'
            )
        network: Any = timm.create_model(model, pretrained=False)
        frame_input = _read_input(network.pretrained_cfg, input_size, mean, std)
        path = find_weights(checkpoint, 'checkpoint of TimmTeacher')
        # The empty dict stands in the fingerprints of caches that exist.
        identity = {'model': model, 'model_args': {}, 'input': frame_input.identity()}
        super().__init__(identity, {'checkpoint': path}, batch_size)
        LOADERS[match](network, read_state_dict(path), path)
        self._input = frame_input
        # With channels last EfficientNet-Lite0 takes 30 instead of 50 ms per frame on a core.
        network = network.to(memory_format=torch.channels_last)
        self.freeze_external(network)

    def predict(self, frames: Tensor) -> Tensor:
        """Embed frames: uint8 ``(N, 3, H, W)`` to float32 ``(N, D)``."""
        images = self._input(frames).contiguous(memory_format=torch.channels_last)
        features = self.frozen.forward_features(images)
        return self.frozen.forward_head(features, pre_logits=True)


def _read_input(
    published: Mapping[str, Any],
    input_size: int | Sequence[int] | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
) -> FrameInput:
    """Convert timm's description of a network's input; its values are fractions, ours 0..255."""
    mean = mean if mean is not None else [255 * value for value in published['mean']]
    std = std if std is not None else [255 * value for value in published['std']]
    size = published['input_size'][1:] if input_size is None else input_size
    return FrameInput(pair(size), tuple(map(float, mean)), tuple(map(float, std)))
