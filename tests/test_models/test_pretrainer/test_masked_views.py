"""The trainer on masked views: what the student and its momentum copy see."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads import PretextHead, Term
from mmact_ssl.models.pretrainer import MultiTaskPretrainer
from tests.helpers.masks import tube_mask


class Backbone(nn.Module):
    """Keeps what it was given."""

    def __init__(self, reads_mask: bool) -> None:
        super().__init__()
        self.reads_mask = reads_mask
        self.scale = nn.Parameter(torch.ones(()))
        self.calls: list[tuple[Tensor, Tensor | None]] = []

    def forward(self, view: Tensor, mask: Tensor | None = None) -> Tensor:
        self.calls.append((view, mask))
        return view * self.scale


class Normalizing(nn.Module):
    """Batch normalization alone, perhaps frozen; or of the visible places."""

    def __init__(self, reads_mask: bool = False, norm_eval: bool = False) -> None:
        super().__init__()
        self.reads_mask = reads_mask
        self.norm_eval = norm_eval
        self.norm = nn.BatchNorm3d(3)

    def train(self, mode: bool = True) -> Normalizing:
        super().train(mode)
        self.norm.train(mode and not self.norm_eval)
        return self

    def forward(self, view: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.norm(view)


class Keeping(PretextHead):
    """Keeps its inputs; the first one has a loss."""

    def terms(self, **inputs: Tensor) -> dict[str, Term]:
        self.given = inputs
        return dict(loss=Term(inputs['feature_map'].square().flatten(1).mean(1)))


def make(reads_mask: bool, together: bool = False, **changes) -> MultiTaskPretrainer:
    views = ('clip', 'masked')
    whole = dict(feature_map='clip.feature_map')
    hidden = dict(
        feature_map='masked.feature_map',
        copy='masked.momentum_feature_map',
        view='masked',
        mask='targets.masked.mask',
    )
    config = dict(
        backbone=dict(type=Backbone, reads_mask=reads_mask),
        heads=dict(
            whole=dict(type=Keeping, inputs=whole), hidden=dict(type=Keeping, inputs=hidden)
        ),
        data_preprocessor=dict(
            type='mmact_ssl.PretextDataPreprocessor',
            mean=[0.0] * 3,
            std=[1.0] * 3,
            views=views,
            targets=('masked.mask',),
        ),
        encode=views,
        encode_together=together,
        momentum_encoder=dict(views=('masked',)),
    )
    return MultiTaskPretrainer(**(config | changes)).eval()


@pytest.mark.parametrize('together', [False, True])
@pytest.mark.parametrize('reads_mask', [False, True])
def test_the_student_sees_the_masked_view_without_its_mask_and_all_else_sees_it_whole(
    reads_mask, together
):
    model, mask = make(reads_mask, together), tube_mask((2, 2, 2), 1)
    clip, masked = torch.randn(2, 2, 3, 4, 4, 4)
    inputs, targets = dict(clip=clip, masked=masked), dict(masked=dict(mask=mask))
    model(inputs, targets, mode='loss')
    places = mask.repeat_interleave(2, 2).repeat_interleave(2, 3).repeat_interleave(2, 4)
    (first, no_mask), (second, own_mask) = model.backbone.calls
    assert torch.equal(first, clip) and no_mask is None
    if reads_mask:
        assert torch.equal(second, masked) and torch.equal(own_mask, mask)
    else:
        assert torch.equal(second, masked.masked_fill(places, 0)) and own_mask is None
    given = model.heads['hidden'].given
    assert torch.equal(given['view'], masked) and torch.equal(given['copy'], masked)
    assert torch.equal(model.heads['whole'].given['feature_map'], clip)
    assert torch.equal(given['mask'], mask)


def test_masked_views_of_one_shape_are_encoded_as_one_batch():
    model = make(reads_mask=True, together=True)
    masks = {
        view: dict(mask=tube_mask((2, 2, 2), number))
        for number, view in enumerate(('clip', 'masked'), 1)
    }
    views = dict(zip(masks, torch.randn(2, 2, 3, 4, 4, 4)))
    model.encode(views, masks)
    ((batch, mask),) = model.backbone.calls
    assert torch.equal(batch, torch.cat([*views.values()]))
    assert torch.equal(mask, torch.cat([one['mask'] for one in masks.values()]))


def make_normalizing(**changes) -> MultiTaskPretrainer:
    model = make(False, **{'backbone': dict(type=Normalizing), **changes}).train()
    for follower, source in model.momentum_pairs():
        follower.start(source)
    return model


def make_batch() -> tuple[dict[str, Tensor], dict[str, dict[str, Tensor]]]:
    clip, masked = torch.randn(2, 2, 3, 4, 4, 4, generator=torch.Generator().manual_seed(0)) + 5
    return dict(clip=clip, masked=masked), dict(masked=dict(mask=tube_mask((2, 2, 2), 1)))


@pytest.mark.parametrize('together', [False, True])
def test_batch_normalization_keeps_the_statistics_of_whole_views(together):
    """Evaluation and the momentum copy normalize whole clips by them."""
    model, (inputs, targets) = make_normalizing(encode_together=together), make_batch()
    alone = copy.deepcopy(model.backbone)
    model(inputs, targets, mode='loss')
    alone(inputs['clip'])
    assert torch.equal(model.backbone.norm.running_mean, alone.norm.running_mean)
    assert torch.equal(model.backbone.norm.running_var, alone.norm.running_var)
    chosen = make_normalizing(statistics_views=('masked',))
    chosen(inputs, targets, mode='loss')
    assert (chosen.backbone.norm.running_mean < alone.norm.running_mean / 2).all()


MASKED = dict(
    encode=('masked',),
    heads=dict(hidden=dict(type=Keeping, inputs=dict(feature_map='masked.feature_map'))),
)


def test_masked_views_alone_are_no_statistics_of_a_student_that_reads_zeros():
    inputs, targets = make_batch()
    with pytest.raises(
        ConfigError, match=r"encode=\['masked'\] has only .*: add a whole view to mo"
    ):
        make_normalizing(**MASKED)(inputs, targets, mode='loss')
    make_normalizing(**MASKED).eval()(inputs, targets, mode='loss')
    chosen = make_normalizing(**MASKED, statistics_views=('masked',))
    for model in (
        make_normalizing(**MASKED, backbone=dict(type=Normalizing, norm_eval=True)),
        make_normalizing(**MASKED, backbone=dict(type=Normalizing, reads_mask=True)),
        make_normalizing(**MASKED, backbone=dict(type=Backbone, reads_mask=False)),
        chosen,
    ):
        assert model(inputs, targets, mode='loss')['loss'].isfinite()
    assert chosen.backbone.norm.running_mean.all()
