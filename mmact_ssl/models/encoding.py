"""Encoding of views by a backbone, and its batch statistics."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from mmact_ssl.errors import ConfigError
from mmact_ssl.io.student_file import find_value
from mmact_ssl.models.masks import hide_masked

# View -> name -> (B, ...).
Targets = Mapping[str, Mapping[str, Tensor]]


def counted_views(
    backbone: nn.Module,
    views: Collection[str],
    targets: Targets,
    chosen: Collection[str] | None = None,
) -> Collection[str]:
    """Views whose batch statistics update the running statistics of a backbone.

    These are the ``chosen`` views. None: all views without a mask, because evaluation uses the
    statistics on whole clips, while a backbone that cannot leave masked places out reads zeros
    there. If every view has a mask, all of them.

    Args:
        views: Names of the encoded views.
        targets: A view with a target ``mask`` is masked.

    Raises:
        ConfigError: No view is chosen or whole, and the running statistics would be those of zeros.
    """
    if chosen is not None:
        return chosen
    if whole := [view for view in views if 'mask' not in targets.get(view, {})]:
        return whole
    layers = [layer for layer in backbone.modules() if isinstance(layer, _BatchNorm)]
    updates = any(layer.training and layer.track_running_stats for layer in layers)
    if updates and not getattr(backbone, 'reads_mask', False):
        raise ConfigError(
            f'model.encode={list(views)} has only masked views, in which the student reads zeros, '
            'so that its batch normalization would not fit whole clips: add a whole view to '
            'model.encode, or take a student without batch normalization or with norm_eval=True'
        )
    return views


def join_targets(targets: Targets, name: str, *views: str) -> Tensor | None:
    """Join a target of some views, such as ``valid`` or ``mask``, to one batch; None: none."""
    found = [targets[view][name] for view in views if name in targets.get(view, {})]
    return torch.cat(found) if found else None


def encode_view(
    backbone: nn.Module,
    view: Tensor,
    valid: Tensor | None,
    frame_wise: bool,
    mask: Tensor | None = None,
) -> list[Tensor]:
    """Compute the maps of a backbone, in its order.

    A backbone with ``reads_valid`` gets ``valid``, and one with ``reads_mask`` gets ``mask``: it
    leaves the masked places out. Any other reads zeros there.

    Args:
        view: ``(B, C, T, H, W)`` gives a map ``(B, C', T', H', W')``; ``(B, M, T, V, C)`` gives
            ``(B, M', C', T', V')``.
        valid: False for padding, ``(B, T)`` or ``(B, M, T)``.
        frame_wise: The backbone is a 2D network, which reads frames ``(N, C, H, W)``. Padded frames
            are replaced by the mean of the clip's valid ones, so that a mean over all frames is the
            mean over the valid frames.
        mask: True for masked places, ``(B, 1, T', H', W')`` or ``(B, M, S, V, 1)``; None: none.

    Raises:
        ConfigError: A view has another number of frames than a student that shifts channels.
    """
    marks: dict[str, Tensor | None] = {}
    if getattr(backbone, 'reads_valid', False):
        marks['valid'] = valid
    if mask is not None and getattr(backbone, 'reads_mask', False):
        marks['mask'] = mask
    elif mask is not None:
        view = hide_masked(view, mask)
    if marks:
        features = backbone(view, **marks)
    elif frame_wise:
        num_segments = shift_length(backbone)
        if num_segments > 1 and view.shape[2] != num_segments:
            raise ConfigError(
                f'the student shifts channels within clips of num_segments={num_segments} frames, '
                f'but a view has {view.shape[2]}: give both the same number'
            )
        features = backbone(view.transpose(1, 2).flatten(0, 1))  # (B*T, C', H', W')
    else:
        features = backbone(view)
    maps = list(features) if isinstance(features, (tuple, list)) else [features]
    if frame_wise:
        maps = [level.unflatten(0, (len(view), -1)).transpose(1, 2) for level in maps]
        if valid is not None:
            maps = [fill_with_mean(level, valid) for level in maps]
    return maps


def fill_with_mean(feature_map: Tensor, valid: Tensor) -> Tensor:
    """Replace the invalid frames of a map by the mean of the clip's valid ones.

    Args:
        feature_map: ``(B, C, T, H, W)``.
        valid: bool ``(B, T)``.
    """
    mask = valid[:, None, :, None, None]
    count = mask.sum(2, keepdim=True).clamp(min=1)
    mean = feature_map.masked_fill(~mask, 0).sum(2, keepdim=True) / count
    return torch.where(mask, feature_map, mean)


@contextmanager
def frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Context in which batch normalization does not update its running statistics.

    In training mode batches are still normalized by their own statistics.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta):
            layer.momentum = momentum


def shift_length(backbone: nn.Module) -> int:
    """Length of the clips within which a backbone shifts channels; 1: no shift."""
    return getattr(backbone, 'num_segments', None) or 1


def check_whole_clips(num_segments: int, frames: int, where: str = '') -> None:
    """Raise ConfigError unless a sample consists of whole clips of a shift.

    A shift cuts all frames of a batch into clips: otherwise the last frames of a sample would share
    a clip with the first frames of the next sample.

    Args:
        num_segments: See :func:`shift_length`.
        frames: Number of frames of a sample.
        where: Name of the samples in the error.
    """
    if frames % num_segments:
        raise ConfigError(
            f'{where}the student shifts channels within clips of num_segments={num_segments} '
            f'frames, but a sample has {frames}, so that frames of different videos would mix: let '
            f'its transform pick num_clips={num_segments} with clip_len=1, or a multiple, e.g. '
            f'test_dataloader.dataset.pipeline.1.num_clips={num_segments}'
        )


def check_sampling(num_segments: int, part: Any, where: str) -> None:
    """Apply :func:`check_whole_clips` to the samples of a pipeline or a data loader."""
    counts = [find_value(part, key) for key in ('clip_len', 'num_clips')]
    if any(counts):
        check_whole_clips(num_segments, math.prod(count or 1 for count in counts), where)


def lay_out(network: nn.Module, channels_last: bool) -> None:
    """Store the weights of convolutions, and so their maps, with channels last or first."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for layer in network.modules():
        weight = layer.weight if isinstance(layer, _ConvNd) else None
        if weight is not None and weight.ndim in formats:
            chosen = formats[weight.ndim] if channels_last else torch.contiguous_format
            weight.data = weight.data.contiguous(memory_format=chosen)
