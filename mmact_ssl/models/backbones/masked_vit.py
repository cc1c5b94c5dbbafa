"""mmaction2's vision transformer of videos, which can leave masked patches out."""

from __future__ import annotations

from typing import Any

from mmaction.models.backbones.vit_mae import VisionTransformer
from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.masks import check_grid, spread_tokens, visible_tokens
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class MaskedVisionTransformer(VisionTransformer):
    """mmaction2's VideoMAE network; it encodes only the visible patches of a masked clip.

    Weights have mmaction2's names and shapes, and without a mask the output is mmaction2's. So a
    checkpoint of either loads in the other.

    Source: VideoMAE (Tong et al., arXiv 2203.12602). That masked places of the map hold the mean of
    the visible ones is our choice: means over the map are then those of the visible patches.

    Args:
        use_mean_pooling: False: a layer normalization of each patch (``norm``), as in VideoMAE's
            pre-training. True: a layer normalization of the mean over all patches (``fc_norm``),
            as in mmaction2's fine-tuned checkpoints. The map does not pass it, so that it does not
            train.
        return_feat_map: Return the map; False: a feature of the clip, for mmaction2's heads.
        **kwargs: As for mmaction2's ``VisionTransformer``.
    """

    reads_mask = True

    def __init__(
        self, use_mean_pooling: bool = False, return_feat_map: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(
            use_mean_pooling=use_mean_pooling, return_feat_map=return_feat_map, **kwargs
        )
        self.num_frames = kwargs.get('num_frames', 16)
        self.tubelet_size = kwargs.get('tubelet_size', 2)
        if return_feat_map and self.fc_norm is not None:
            self.fc_norm.requires_grad_(False)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """``(B, 3, T, H, W)`` to ``(B, C, T', H', W')``, or without ``return_feat_map`` ``(B, C)``.

        Args:
            mask: bool ``(B, 1, T', H', W')``, True for masked patches; None: none. With a mask the
                result is the map, and the clip has the size that the network is built for.

        Raises:
            ConfigError: A clip has another number of frames, or the mask has another grid.
        """
        if x.shape[2] != self.num_frames:
            raise ConfigError(
                f'the student is built for clips of num_frames={self.num_frames}, but a view has '
                f'{x.shape[2]}: give both the same number'
            )
        if mask is None:
            return super().forward(x)
        patch = (self.tubelet_size, self.patch_size, self.patch_size)
        grid = (x.shape[2] // self.tubelet_size, *self.grid_size)
        check_grid(mask.shape[2:], grid, f'give MaskTubes patch={patch}')
        tokens = self.patch_embed(x)[0] + self.pos_embed
        places = mask.flatten(1)
        tokens = self.pos_drop(visible_tokens(tokens, places))
        for block in self.blocks:
            tokens = block(tokens)
        whole = spread_tokens(self.norm(tokens), places).transpose(1, 2)
        return whole.unflatten(2, grid)
