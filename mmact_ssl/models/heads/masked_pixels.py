"""VideoMAE's prediction of masked pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.losses.masked import PatchLoss
from mmact_ssl.models.masks import counted_places, join_patches, split_patches
from mmact_ssl.models.networks.masked_decoder import MaskedDecoder
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead
from .terms import Terms, mean_term


@MODELS.register_module()
class MaskedPixelHead(PretextHead):
    """Predict the pixels of the masked patches of a clip from its visible ones.

    With ``x_p`` the pixels of patch p, each color normalized over the patch, and ``y`` what a light
    transformer predicts from the student's map at visible places::

        loss = mean over masked p of  |y_p - x_p|^2 / values of a patch

    As published (VideoMAE, Tong et al., arXiv 2203.12602). It works with any student (our choice):
    one that reads whole views sees zeros at masked patches. Patches in padded frames do not count.

    Args:
        in_channels: Channels of the map.
        patch: Frames, height and width of a patch, as in MaskTubes.
        view: The masked view.
        hidden_dim, depth, num_heads: Size of the decoder; as published for ViT-B 384, 4 and 6.
        loss: A PatchLoss of predicted and real patches.
        inputs: Names of ``feature_map`` ``(B, C, T', H', W')``, of the whole ``frames``
            ``(B, 3, T, H, W)``, of ``mask`` bool ``(B, 1, T', H', W')``, and of ``valid`` bool
            ``(B, T)``.
    """

    inputs = dict(
        feature_map='{view}.feature_map',
        frames='{view}',
        mask='targets.{view}.mask',
        valid='targets.{view}.valid',
    )

    def __init__(
        self,
        in_channels: int,
        patch: Sequence[int] = (2, 16, 16),
        view: str = 'clip',
        hidden_dim: int = 192,
        depth: int = 2,
        num_heads: int = 3,
        loss: dict = dict(type='PatchLoss'),
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(inputs, loss, init_cfg, view=view)
        self.patch = tuple(patch)
        values = 3 * self.patch[0] * self.patch[1] * self.patch[2]
        self.decoder = MaskedDecoder(in_channels, values, hidden_dim, depth, num_heads)

    def terms(self, feature_map: Tensor, frames: Tensor, mask: Tensor, valid: Tensor) -> Terms:
        """Compute the error of masked patches, and that of patches of one color.

        Without gradients also ``frames``, with predicted pixels at masked patches: each patch gets
        the contrast and mean color of the real one.
        """
        sizes, grid = frames.shape[2:], mask.shape[2:]
        if tuple(size // places for size, places in zip(sizes, grid)) != self.patch:
            raise ConfigError(
                f'MaskedPixelHead: {self.inputs["mask"]} has {tuple(grid)} places in a view of '
                f'{tuple(sizes)}, not patches of {self.patch}: give MaskTubes the same patch'
            )
        patches = split_patches(frames.movedim(1, -1), grid)  # (B, T', H', W', n, 3)
        prediction = self.decoder(feature_map, mask[:, 0]).view(patches.shape)
        weight = counted_places(mask, valid)[:, 0]  # (B, T', H', W')
        error = self.loss_module(prediction, patches)
        plain = self.loss_module(torch.zeros_like(patches), patches)
        terms: Terms = dict(
            loss=mean_term(error, weight),
            mse=mean_term(error.detach(), weight),
            mse_constant=mean_term(plain, weight),
        )
        if self.needs_losses:
            return terms
        shown = cast(PatchLoss, self.loss_module).restore(prediction, patches)
        drawn = patches.where(~mask[:, 0, ..., None, None], shown)
        return dict(**terms, frames=join_patches(drawn, sizes).movedim(-1, 1))
