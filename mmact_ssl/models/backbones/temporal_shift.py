"""Image networks of timm with temporal shift, by which a frame also sees its neighbors."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mmact_ssl.errors import ConfigError, import_extra
from mmact_ssl.io.checkpoint_file import read_state_dict
from mmact_ssl.io.weights import LOADERS, find_weights
from mmact_ssl.registry import MODELS

NETWORK = 'network.'


@MODELS.register_module()
class TemporalShiftNetwork(BaseModule):
    """timm network over the frames of clips, with the temporal shift in its residual blocks.

    At the start of a residual block ``1 / shift_div`` of the channels come from the next frame and
    as many from the frame before (TSM, Lin et al., arXiv 1811.08383); beyond a clip's ends they are
    0. Weights have timm's own names, so that without the shift a checkpoint loads in a stock config
    as mmaction2's ``timm.<model>``. mmaction2 has the shift for its own ResNet
    (``mmaction.ResNetTSM``).

    Args:
        model: Name of a timm network with residual blocks and convolutions.
        num_segments: Frames of each clip; 1: no shift.
        shift_div: One of so many channels is shifted in each direction.
        checkpoint: Initial weights with the classifier's, see :func:`find_weights`; None: random.
        match: ``'name'``: the weights have timm's names. ``'order'``: see :func:`load_by_order`.
        frozen_stages: Freeze weights and statistics of the stem (0) and so many stages after it;
            -1: none. As in mmaction2's ResNet.
        norm_eval: Batch normalization keeps its initial statistics.
        model_args: More arguments of ``timm.create_model``.
    """

    def __init__(
        self,
        model: str,
        num_segments: int = 8,
        shift_div: int = 8,
        checkpoint: str | None = None,
        match: str = 'name',
        frozen_stages: int = -1,
        norm_eval: bool = False,
        model_args: Mapping[str, Any] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        timm = import_extra('timm', 'TemporalShiftNetwork')
        self.network: Any = timm.create_model(model, **(model_args or {}))
        if checkpoint is not None:
            path = find_weights(checkpoint, 'checkpoint of TemporalShiftNetwork')
            LOADERS[match](self.network, read_state_dict(path), path)
        self.network.reset_classifier(0)
        # On a CPU, depthwise convolutions take two thirds of the time with channels last, but
        # statistics of batches are inexact.
        self.memory_format = torch.channels_last if norm_eval else torch.contiguous_format
        self.network.to(memory_format=self.memory_format)
        if num_segments > 1:
            shift = partial(_shift_input, num_segments=num_segments, shift_div=shift_div)
            convolutions = self.first_convolutions()
            if not convolutions:
                raise ConfigError(
                    f'model={model}: no residual blocks with convolutions to shift in'
                )
            for convolution in convolutions:
                convolution.register_forward_pre_hook(shift)
        self.num_segments, self.norm_eval = num_segments, norm_eval
        stages = timm.models.group_parameters(self.network, self.network.group_matcher(coarse=True))
        self.frozen = {
            n for stage, names in stages.items() if stage <= frozen_stages for n in names
        }
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad = name not in self.frozen
        self.register_state_dict_post_hook(TemporalShiftNetwork._leave_out_prefix)
        self.register_load_state_dict_pre_hook(TemporalShiftNetwork._put_in_prefix)

    def first_convolutions(self) -> list[nn.Conv2d]:
        """List the first convolution of each residual branch, before which TSM shifts.

        Residual blocks of timm's ResNet, RegNet, ConvNeXt, EfficientNet and similar networks have a
        ``drop_path``; the convolution of a shortcut has a special name. ``has_skip`` (EfficientNet)
        or ``use_shortcut`` (ReXNet) is False in a block without a shortcut, where a shift would
        lose the frame's own channels.
        """
        convolutions = []
        for block in self.network.modules():
            has_skip = getattr(block, 'has_skip', True) and getattr(block, 'use_shortcut', True)
            if hasattr(block, 'drop_path') and has_skip:
                convolutions += [
                    module
                    for name, module in block.named_modules()
                    if isinstance(module, nn.Conv2d)
                    and not name.startswith(('downsample', 'shortcut'))
                ][:1]
        return convolutions

    def _leave_out_prefix(self, state: dict[str, Any], prefix: str, *unused: Any) -> None:
        for key in [key for key in state if key.startswith(prefix + NETWORK)]:
            state[prefix + key[len(prefix + NETWORK) :]] = state.pop(key)

    def _put_in_prefix(self, state: dict[str, Any], prefix: str, *unused: Any) -> None:
        for key in [key for key in state if key.startswith(prefix)]:
            if not key.startswith(prefix + NETWORK):
                state[prefix + NETWORK + key[len(prefix) :]] = state.pop(key)

    def init_weights(self) -> None:
        """Keep the weights: timm has initialized the network, or they are loaded."""

    def train(self, mode: bool = True) -> TemporalShiftNetwork:
        super().train(mode)
        for name, module in self.network.named_modules():
            if isinstance(module, _BatchNorm):
                keeps = self.norm_eval or f'{name}.weight' in self.frozen
                module.train(mode and not keeps)
        return self

    def folded(self) -> TemporalShiftNetwork:
        """A copy for evaluation, whose convolutions contain the normalization after them."""
        from timm.layers import BatchNormAct2d

        network = copy.deepcopy(self)
        for block in network.modules():
            for (first, conv), (second, norm) in itertools.pairwise([*block.named_children()]):
                if isinstance(conv, nn.Conv2d) and isinstance(norm, BatchNormAct2d):
                    setattr(block, first, fuse_conv_bn_eval(conv, norm))
                    setattr(block, second, norm.act)
        return network

    def forward(self, frames: Tensor) -> Tensor:
        """``(B*T, 3, H, W)``, the frames of a clip one after the other, to ``(B*T, C, H', W')``."""
        frames = frames.contiguous(memory_format=self.memory_format)
        return self.network.forward_features(frames)


def shift_in_time(maps: Tensor, num_segments: int, shift_div: int) -> Tensor:
    """Exchange channels with the neighboring frames, ``(B*T, C, H, W)``.

    It equals mmaction2's ``TemporalShift.shift``, which cannot read maps with channels last.
    """
    clips = maps.unflatten(0, (-1, num_segments))  # (B, T, C, H, W)
    fold = maps.shape[1] // shift_div
    if torch.onnx.is_in_onnx_export():  # ONNX cannot write into slices of a dynamic batch
        after = F.pad(clips[:, 1:, :fold], (0, 0, 0, 0, 0, 0, 0, 1))
        before = F.pad(clips[:, :-1, fold : 2 * fold], (0, 0, 0, 0, 0, 0, 1, 0))
        return torch.cat([after, before, clips[:, :, 2 * fold :]], dim=2).flatten(0, 1)
    shifted = torch.zeros_like(clips)
    shifted[:, :-1, :fold] = clips[:, 1:, :fold]
    shifted[:, 1:, fold : 2 * fold] = clips[:, :-1, fold : 2 * fold]
    shifted[:, :, 2 * fold :] = clips[:, :, 2 * fold :]
    return shifted.flatten(0, 1)


def _shift_input(
    convolution: nn.Module, inputs: tuple[Tensor, ...], num_segments: int, shift_div: int
) -> Tensor:
    return shift_in_time(inputs[0], num_segments, shift_div)
