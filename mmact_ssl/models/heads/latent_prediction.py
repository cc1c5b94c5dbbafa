"""Prediction of the momentum copy's features at masked places."""

from __future__ import annotations

from torch import Tensor

from mmact_ssl.models.losses.masked import normalize_features
from mmact_ssl.models.masks import counted_places, resize_map, to_grid
from mmact_ssl.models.networks.masked_decoder import MaskedDecoder
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead
from .terms import Terms, mean_term


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
        in_channels: Channels of both maps.
        skeletons: The views are skeletons.
        view: The masked view.
        hidden_dim, depth, num_heads: Size of the predictor.
        loss: Loss of predictions and features.
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
        return dict(
            loss=mean_term(error, weight),
            error=mean_term(error.detach(), weight),
            error_constant=mean_term(constant, weight),
        )
