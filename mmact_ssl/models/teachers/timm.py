"""Teachers of frame embeddings from timm's image networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor

from mmact_ssl.checkpoint_file import read_state_dict
from mmact_ssl.download import from_hub
from mmact_ssl.errors import ConfigError, import_extra
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.models.teachers.preprocessing import FrameInput, pair
from mmact_ssl.registry import MODELS
from mmact_ssl.weights import LOADERS, find_weights


@MODELS.register_module()
class TimmTeacher(BaseTeacher):
    """Teacher that computes the pooled feature before a timm network's classifier: ``(N, D)``.

    Args:
        model: Name of the network in timm, e.g. ``'tf_efficientnet_lite0'``.
        checkpoint: Weights with those of the classifier, see :func:`find_weights`; or ``'timm'``:
            the weights that timm publishes for this name, through the Hugging Face cache.
        match: ``'name'``: weights have timm's names. ``'order'``: another implementation saved them
            with its own names, in the same order; see :func:`load_by_order`.
        input_size: Side or (height, width) to which the whole frame is stretched. None: timm's own
            size for the network.
        mean, std: Of each channel, RGB in units of 0..255; None: timm's.
        model_args: More arguments of ``timm.create_model``, e.g. ``dict(num_classes=400)``.
        batch_size, precision: See BaseTeacher.
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
        model_args: Mapping[str, Any] | None = None,
        batch_size: int = 16,
        precision: str = 'float32',
    ) -> None:
        timm = import_extra('timm', 'TimmTeacher')
        if not timm.is_model(model):
            close = get_close_matches(model.split('.')[0], timm.list_models())
            raise ConfigError(
                f'timm {timm.__version__} has no network {model!r}; did you mean {close}?'
            )
        args = dict(model_args or {})
        network: Any = timm.create_model(model, pretrained=False, **args)
        frame_input = _read_input(network.pretrained_cfg, input_size, mean, std)
        if checkpoint == 'timm':
            path = _download(network.pretrained_cfg, model)
        else:
            path = find_weights(checkpoint, 'checkpoint of TimmTeacher')
        identity = {'model': model, 'model_args': args, 'input': frame_input.identity()}
        super().__init__(identity, {'checkpoint': path}, batch_size, precision)
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


def _download(published: Mapping[str, Any], model: str) -> str:
    repository = published.get('hf_hub_id')
    if not repository:
        raise ConfigError(f'timm publishes no weights for {model!r}: give a checkpoint')
    return from_hub(repository, published.get('hf_hub_filename') or 'model.safetensors')
