"""From a view to the student's feature map and pooled feature."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from mmact_ssl.errors import ConfigError
from mmact_ssl.saved_run import find_value


def shift_length(backbone: nn.Module) -> int:
    """Frames of the clips within which a backbone shifts channels; 1: it sees each by itself."""
    inner = getattr(backbone, 'backbone', backbone)  # of one with adapters
    return getattr(inner, 'num_segments', None) or 1


def check_whole_clips(num_segments: int, frames: int, where: str = '') -> None:
    """Refuse samples that are not one clip or several clips, one after the other, of a shift.

    A shift cuts all frames of a batch into clips: the last frames of such a sample would be in one
    clip with the first ones of the next.

    Args:
        num_segments: See :func:`shift_length`.
        frames: Of a sample.
        where: Names the samples in the error.
    """
    if frames % num_segments:
        raise ConfigError(
            f'{where}the student shifts channels within clips of num_segments={num_segments} '
            f'frames, but a sample has {frames}, so that frames of different videos would mix: let '
            f'its transform pick num_clips={num_segments} with clip_len=1, or a multiple, e.g. '
            f'test_dataloader.dataset.pipeline.1.num_clips={num_segments}'
        )


def check_sampling(num_segments: int, part: Any, where: str) -> None:
    """Apply :func:`check_whole_clips` to what a pipeline, or a data loader, picks of a video."""
    counts = [find_value(part, key) for key in ('clip_len', 'num_clips')]
    if any(counts):
        check_whole_clips(num_segments, math.prod(count or 1 for count in counts), where)


def encode_view(
    backbone: nn.Module, view: Tensor, valid: Tensor | None, frame_wise: bool
) -> list[Tensor]:
    """The maps of a backbone, the last one last, which is told what is padding if it asks for it.

    Args:
        view: ``(B, C, T, H, W)`` gives a map ``(B, C', T', H', W')``; ``(B, M, T, V, C)`` gives
            ``(B, M', C', T', V')``.
        valid: False for padding, ``(B, T)`` or ``(B, M, T)``.
        frame_wise: The backbone is a 2D network, which reads frames ``(N, C, H, W)``. The mean map
            of a clip's valid frames takes the place of its padding, so that a mean over all frames
            is one over valid frames.

    Raises:
        ConfigError: A view has another number of frames than a shifting student.
    """
    if getattr(backbone, 'reads_valid', False):
        features = backbone(view, valid)
    elif frame_wise:
        wanted = shift_length(backbone)
        if wanted > 1 and view.shape[2] != wanted:
            raise ConfigError(
                f'the student shifts channels within clips of num_segments={wanted} frames, but a '
                f'view has {view.shape[2]}: give both the same number'
            )
        features = backbone(view.transpose(1, 2).flatten(0, 1))  # (B*T, C', H', W')
    else:
        features = backbone(view)
    maps = list(features) if isinstance(features, (tuple, list)) else [features]
    if frame_wise:
        maps = [one.unflatten(0, (len(view), -1)).transpose(1, 2) for one in maps]
        if valid is not None:
            maps = [fill_with_mean(one, valid) for one in maps]
    return maps


def fill_with_mean(feature_map: Tensor, valid: Tensor) -> Tensor:
    """A map with the mean of its valid frames in place of the others.

    Args:
        feature_map: ``(B, C, T, H, W)``.
        valid: bool ``(B, T)``.
    """
    kept = valid[:, None, :, None, None]
    count = kept.sum(2, keepdim=True).clamp(min=1)
    mean = feature_map.masked_fill(~kept, 0).sum(2, keepdim=True) / count
    return torch.where(kept, feature_map, mean)


def lay_out(network: nn.Module, channels_last: bool) -> None:
    """Keep weights of convolutions, and thereby their maps, in memory with channels last or not."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for layer in network.modules():
        weight = layer.weight if isinstance(layer, _ConvNd) else None
        if weight is not None and weight.ndim in formats:
            chosen = formats[weight.ndim] if channels_last else torch.contiguous_format
            weight.data = weight.data.contiguous(memory_format=chosen)


@contextmanager
def frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Keep the running statistics of batch normalization as they are, whatever runs meanwhile.

    Batches are still normalized by their own statistics, in training mode.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    # Layers without momentum average over the batches that they have counted.
    tracked = [layer.num_batches_tracked for layer in layers if layer.momentum is None]
    counts = [(count, count.clone()) for count in tracked if count is not None]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta):
            layer.momentum = momentum
        for count, before in counts:
            count.copy_(before)


def keep_statistics_once(model: nn.Module) -> None:
    """Make batch normalization leave its running statistics alone during the backward pass.

    Activation checkpointing runs parts of the network again there, and would count a batch twice,
    also that of a view whose statistics are not kept.
    """
    kept: dict[nn.Module, tuple[float | None, Tensor]] = {}

    def freeze(layer: Any, *_: Any) -> None:
        if torch._C._current_graph_task_id() != -1:  # as torch.utils.checkpoint finds it out
            kept[layer] = layer.momentum, layer.num_batches_tracked.clone()
            # Not track_running_stats: torch refuses to recompute other tensors than before.
            layer.momentum = 0.0

    def thaw(layer: Any, *_: Any) -> None:
        if layer in kept:
            layer.momentum, count = kept.pop(layer)
            layer.num_batches_tracked.copy_(count)

    for layer in model.modules():
        if isinstance(layer, _BatchNorm) and layer.track_running_stats:
            layer.register_forward_pre_hook(freeze)
            # Recomputation ends by an exception, once it has all that it needs.
            layer.register_forward_hook(thaw, always_call=True)
