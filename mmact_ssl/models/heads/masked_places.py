"""Prediction of what is masked: pixels, motions, and features of the momentum copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads.pretext_head import PretextHead
from mmact_ssl.models.heads.terms import Terms, mean_term
from mmact_ssl.models.losses.masked import PatchLoss, normalize_features
from mmact_ssl.models.masks import counted_places, join_patches, resize_map, split_patches, to_grid
from mmact_ssl.models.networks.masked_decoder import MaskedDecoder
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class MaskedPixelHead(PretextHead):
    """Predict the pixels of the masked patches of a clip from its visible ones.

    With ``x_p`` the pixels of patch p, each color normalized over the patch, and ``y`` what a light
    transformer predicts from the student's map at visible places::

        loss = mean over masked p of  |y_p - x_p|^2 / values of a patch

    As published (VideoMAE, Tong et al., arXiv 2203.12602). It works with any student (our choice):
    one that reads whole views sees zeros at masked patches. Patches in padded frames do not count.

    Args:
        patch: Frames, height and width of a patch, as in MaskTubes.
        hidden_dim, depth, num_heads: Size of the decoder; as published for ViT-B 384, 4 and 6.
        inputs: Names of ``feature_map`` ``(B, C, T', H', W')``, of the whole ``frames``
            ``(B, 3, T, H, W)``, of ``mask`` bool ``(B, 1, T', H', W')``, and of ``valid`` bool
            ``(B, T)``.
    """

    inputs = dict(
        feature_map='clip.feature_map',
        frames='clip',
        mask='targets.clip.mask',
        valid='targets.clip.valid',
    )

    def __init__(
        self,
        in_channels: int,
        patch: Sequence[int] = (2, 16, 16),
        hidden_dim: int = 192,
        depth: int = 2,
        num_heads: int = 3,
        loss: dict = dict(type='PatchLoss', as_pixels=True),
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(inputs, loss, init_cfg)
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
        terms = error_terms('mse', error, plain, weight)
        if self.needs_losses:
            return terms
        shown = cast(PatchLoss, self.loss_module).restore(prediction, patches)
        drawn = patches.where(~mask[:, 0, ..., None, None], shown)
        return dict(**terms, frames=join_patches(drawn, sizes).movedim(-1, 1))


@MODELS.register_module()
class MaskedMotionHead(PretextHead):
    """Predict the motion of masked joints in segments of a clip from its visible joints.

    With ``m_t = x_(t+1) - x_t`` the motion of a joint, 0 in the last frame, ``m_p`` that of all
    frames of a masked place p (a joint in a segment), normalized over the place, and ``y`` what a
    light transformer predicts from the student's map at visible places::

        loss = mean over masked p of  |y_p - m_p|^2 / values of a place

    As published (MAMP, Mao et al., arXiv 2308.07092, and its released code). It works with any
    student (our choice): one that reads whole views sees zeros at masked joints. Absent persons do
    not count, nor does a place whose joint is missing in one of its frames or in the frame after
    it: the jump from or to zero is no motion (our choice). The transform tells which joints are
    missing, because in the clip they look like a joint at the origin.

    Args:
        segment: Frames of a segment, as in MaskJointSegments.
        coordinates: The first C of the clip's values of a joint, whose motion is predicted.
        view: The masked view.
        hidden_dim, depth, num_heads: Size of the decoder; as published 256, 3 or 5, and 8.
        inputs: Names of ``feature_map`` ``(B, M', C', T', V')``, of the whole ``clip``
            ``(B, M, T, V, C)``, of ``mask`` and ``known`` bool ``(B, M, S, V, 1)``, and of
            ``valid`` bool ``(B, M, T)``.
    """

    inputs = dict(
        feature_map='{view}.feature_map',
        clip='{view}',
        mask='targets.{view}.mask',
        known='targets.{view}.known',
        valid='targets.{view}.valid',
    )

    def __init__(
        self,
        in_channels: int,
        segment: int = 4,
        coordinates: int = 3,
        view: str = 'clip',
        hidden_dim: int = 256,
        depth: int = 3,
        num_heads: int = 8,
        loss: dict = dict(type='PatchLoss'),
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(inputs, loss, init_cfg, view=view)
        self.segment = segment
        self.coordinates = coordinates
        values = segment * coordinates
        self.decoder = MaskedDecoder(in_channels, values, hidden_dim, depth, num_heads)

    def terms(
        self, feature_map: Tensor, clip: Tensor, mask: Tensor, known: Tensor, valid: Tensor
    ) -> Terms:
        """Compute the error of masked places, and that of a constant motion of each.

        Without gradients also ``coordinates`` ``(B, M, T, V, C)``: at masked places, the joint's
        real position in the first frame of the segment, moved by the predicted motion.
        """
        if clip.shape[2] != mask.shape[2] * self.segment:
            raise ConfigError(
                f'MaskedMotionHead: {self.inputs["mask"]} has {mask.shape[2]} segments in a clip '
                f'of {clip.shape[2]} frames: give MaskJointSegments segment={self.segment}'
            )
        clip = clip[..., : self.coordinates]
        motion = torch.zeros_like(clip)
        motion[:, :, :-1] = clip[:, :, 1:] - clip[:, :, :-1]
        places = self._split(motion).flatten(4)[..., None]  # (B, M, S, V, segment * C, 1)
        persons = clip.shape[1]
        prediction = self.decoder(*to_grid(feature_map, mask, True), persons)[..., None]
        weight = counted_places(mask & known, valid)[..., 0]  # (B, M, S, V)
        error = self.loss_module(prediction, places)
        constant = self.loss_module(torch.zeros_like(places), places)
        terms = error_terms('mse', error, constant, weight)
        if self.needs_losses:
            return terms
        steps = cast(PatchLoss, self.loss_module).restore(prediction, places)[..., 0]
        steps = steps.unflatten(4, (self.segment, -1))
        real = self._split(clip)  # (B, M, S, V, segment, C)
        before = torch.cat([torch.zeros_like(steps[..., :1, :]), steps[..., :-1, :]], dim=4)
        moved = real[..., :1, :] + before.cumsum(4)
        drawn = real.where(~mask[..., None], moved)
        return dict(**terms, coordinates=drawn.transpose(3, 4).flatten(2, 3))

    def _split(self, values: Tensor) -> Tensor:
        """``(B, M, T, V, C)`` to ``(B, M, S, V, segment, C)``."""
        return values.unflatten(2, (-1, self.segment)).transpose(3, 4)


@MODELS.register_module()
class LatentPredictionHead(PretextHead):
    """Predict the momentum copy's features of a whole view at the places masked for the student.

    With ``z_p`` the copy's feature of place p, layer-normalized, and ``y`` what a light transformer
    predicts from the student's map at visible places::

        loss = mean over masked p of  |y_p - z_p|,   mean over channels

    Sources: V-JEPA (Bardes et al., arXiv 2404.08471), data2vec (Baevski et al., arXiv 2202.03555).
    The copy is ``model.momentum_encoder``; it reads the view without its mask. Our choice: the
    last map is the target, and maps of other sizes than the mask are averaged or repeated.

    Args:
        skeletons: The views are skeletons.
        view: The masked view.
        inputs: Names of ``feature_map`` and ``target``, both ``(B, C, T', H', W')`` or ``(B, M',
            C, T', V')``; of ``mask`` bool ``(B, 1, T', H', W')`` or ``(B, M, S, V, 1)``; and of
            ``valid`` bool ``(B, T)`` or ``(B, M, T)``.
    """

    inputs = dict(
        feature_map='{view}.feature_map',
        target='{view}.momentum_feature_map',
        mask='targets.{view}.mask',
        valid='targets.{view}.valid',
    )

    def __init__(
        self,
        in_channels: int,
        skeletons: bool = False,
        view: str = 'clip',
        hidden_dim: int = 192,
        depth: int = 2,
        num_heads: int = 3,
        loss: dict = dict(type='LatentLoss'),
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(inputs, loss, init_cfg, view=view)
        self.skeletons = skeletons
        self.decoder = MaskedDecoder(in_channels, in_channels, hidden_dim, depth, num_heads)

    def terms(self, feature_map: Tensor, target: Tensor, mask: Tensor, valid: Tensor) -> Terms:
        """Compute the error at masked places, and that of the best constant, the median."""
        persons = mask.shape[1]  # 1 for videos
        target, weight = to_grid(target, counted_places(mask, valid), self.skeletons)
        target = resize_map(target, weight.shape[1:]).movedim(1, -1)  # (B, *grid, C)
        prediction = self.decoder(*to_grid(feature_map, mask, self.skeletons), persons)
        error = self.loss_module(prediction, target)  # (B, *grid)
        features = normalize_features(target)
        # The mean would be a worse answer by the absolute distance.
        counted = features.masked_fill(weight[..., None] == 0, float('nan')).flatten(0, -2)
        median = counted.nanmedian(0).values.nan_to_num()  # 0 if no place counts
        constant = self.loss_module(median.expand_as(features), target)
        return error_terms('error', error, constant, weight)


def error_terms(name: str, error: Tensor, constant: Tensor, weight: Tensor) -> Terms:
    """The error of each place as loss and as metric, beside that of a constant answer."""
    metrics = {name: error.detach(), f'{name}_constant': constant}
    return {k: mean_term(v, weight) for k, v in dict(loss=error, **metrics).items()}
