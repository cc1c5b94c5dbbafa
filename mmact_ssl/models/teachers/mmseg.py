"""Parsing teachers from mmsegmentation: probability maps of classes or of body parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor

from mmact_ssl.datasets.layouts import PART_LAYOUTS
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
from mmact_ssl.models.teachers.preprocessing import pair
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class MMSegTeacher(BaseTeacher):
    """Teacher of part maps ``(N, C, h, w)``, 0..1, by any segmentor of mmsegmentation.

    It runs on the whole frame at once, even if the config slides a window (our choice).

    Args:
        config, checkpoint: Mmsegmentation config and weights, see MMLabTeacher.
        input_size: Side or (height, width) to which the whole frame is stretched.
        map_size: Side or (h, w) of the maps.
        parts: Part -> classes of the network whose probabilities are added, e.g.
            ``dict(person=[12])`` for ADE20K, in the order of the layout. None: every class.
        layout: Name of the parts' order, by which flips exchange left and right.
        batch_size: See BaseTeacher.
    """

    kind = 'map'

    def __init__(
        self,
        config: str,
        checkpoint: str,
        input_size: int | Sequence[int],
        map_size: int | Sequence[int],
        layout: str,
        parts: Mapping[str, Sequence[int]] | None = None,
        batch_size: int = 8,
    ) -> None:
        loaded = load_model_config(config, 'MMSegTeacher')
        if 'decode_head' not in loaded.model:
            raise ConfigError(f'{config} has no model.decode_head: a segmentor is expected')
        model = {**without_init(loaded.model), 'auxiliary_head': None}  # for training only
        frame_input = read_input(loaded, config, input_size)
        size = pair(map_size)
        identity = {
            'model': model,
            'input': frame_input.identity(),
            'map_size': size,
            'parts': None if parts is None else [[part, list(parts[part])] for part in parts],
            'layout': layout,
        }
        checkpoint = find_weights(checkpoint, 'checkpoint of MMSegTeacher')
        super().__init__(identity, {'checkpoint': checkpoint}, batch_size)
        self.layout = layout

        network = build_network(model, 'mmseg')
        _check_head(network, config)
        load_parts(network, checkpoint, ('backbone', 'neck', 'decode_head'))
        self._channels = None
        if parts is not None:
            self._channels = check_parts(parts, network.out_channels, config, layout)
        self._input = frame_input
        self._map_size = size
        self.freeze_external(network)

    def predict(self, frames: Tensor) -> Tensor:
        """Parse frames: uint8 ``(N, 3, H, W)`` to float32 ``(N, C, h, w)``."""
        # mmseg's heads resize to the image shape in the metas.
        metas = [{'img_shape': self._map_size, 'ori_shape': self._map_size}] * len(frames)
        logits = self.frozen.encode_decode(self._input(frames), metas).float()
        one_class = logits.shape[1] == 1
        return merge(logits.sigmoid() if one_class else logits.softmax(1), self._channels)


def _check_head(network: Any, config: str) -> None:
    """Refuse heads that classify masks instead of pixels (Mask2Former)."""
    from mmseg.models.decode_heads.decode_head import BaseDecodeHead

    head = network.decode_head
    head = head[-1] if isinstance(head, torch.nn.ModuleList) else head  # a cascade
    if not isinstance(head, BaseDecodeHead):
        raise ConfigError(
            f'{config} has a {type(head).__name__}, which gives no logits of each pixel: use a '
            'segmentor with a per-pixel head, e.g. SegFormer'
        )


def check_parts(
    parts: Mapping[str, Sequence[int]], num_classes: int, what: str, layout: str
) -> tuple[tuple[int, ...], ...]:
    """List the classes of each part, in the order of the layout."""
    if layout not in PART_LAYOUTS:
        raise ConfigError(f'{what}: unknown layout {layout!r}; known are {", ".join(PART_LAYOUTS)}')
    for have, want in zip_longest(parts, PART_LAYOUTS[layout].names):
        if have != want:
            # Not sorted here: the fingerprint contains the order of the config.
            raise ConfigError(
                f'{what}: {have!r} of parts is where the layout {layout!r} has {want!r}: give the '
                "layout's parts in its order"
            )
    for part, classes in parts.items():
        if not classes or not all(0 <= index < num_classes for index in classes):
            raise ConfigError(
                f'{what} has the classes 0 to {num_classes - 1}, parts[{part!r}] is {list(classes)}'
            )
    return tuple(tuple(classes) for classes in parts.values())


def merge(maps: Tensor, channels: tuple[tuple[int, ...], ...] | None) -> Tensor:
    """Add the classes of each part: ``(N, classes, h, w)`` to ``(N, C, h, w)``; None: no change."""
    if channels is None:
        return maps
    merged = [maps[:, list(classes)].sum(1) for classes in channels]
    return torch.stack(merged, dim=1).clamp(0, 1)  # sums may exceed 1 in the last bit
