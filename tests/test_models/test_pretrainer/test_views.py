"""The trainer on masked and padded views, and whose batch statistics evaluation uses."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.encoding import encode_view, frozen_statistics
from mmact_ssl.models.masks import hide_masked
from mmact_ssl.models.pretrainer import MultiTaskPretrainer
from mmact_ssl.registry import MODELS
from tests.helpers.heads import keep, make_pretrainer
from tests.helpers.masks import tube_mask

VIEWS = ('clip', 'masked')


class Student(nn.Module):
    """Keeps what it was given."""

    def __init__(self, reads: str) -> None:
        super().__init__()
        setattr(self, f'reads_{reads}', True)
        self.scale = nn.Parameter(torch.ones(()))
        self.calls: list[tuple[Tensor, dict[str, Tensor | None]]] = []

    def forward(self, view: Tensor, **marks: Tensor | None) -> Tensor:
        self.calls.append((view, marks))
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


class ValidMean(nn.Module):
    """The mean over valid frames of a map ``(B, C, T, H, W)``."""

    def forward(self, feature_map: Tensor, valid: Tensor) -> Tensor:
        weight = valid.float()[:, None, :, None, None]
        return (feature_map * weight).sum((2, 3, 4)) / weight.sum((2, 3, 4))


@pytest.mark.parametrize('together', [False, True])
def test_each_view_is_encoded_and_pooled_with_its_own_validity(together):
    views = dict(zip(VIEWS, torch.randn(2, 2, 3, 5, 1, 1)))
    lengths = dict(clip=torch.tensor([[5], [3]]), masked=torch.tensor([[2], [4]]))
    valid = {view: torch.arange(5) < length for view, length in lengths.items()}
    model = make_pretrainer(
        {view: keep(pooled=f'{view}.pooled', valid=f'targets.{view}.valid') for view in VIEWS},
        VIEWS,
        targets=[f'{view}.valid' for view in VIEWS],
        backbone=dict(type=Student, reads='valid'),
        encode_together=together,
        pooling=dict(type=ValidMean),
    )
    logs = model(views, {view: dict(valid=valid[view]) for view in VIEWS}, mode='loss')
    seen, marks = zip(*model.backbone.calls)
    assert len(seen) == (1 if together else 2)
    assert torch.equal(torch.cat(seen), torch.cat([*views.values()]))
    assert torch.equal(torch.cat([m['valid'] for m in marks]), torch.cat([*valid.values()]))
    for view in VIEWS:
        rows = zip(views[view], valid[view])
        slow = torch.stack([clip[:, kept].mean((1, 2, 3)) for clip, kept in rows])
        given = model.heads[view].given
        torch.testing.assert_close(given['pooled'], slow)
        assert torch.equal(given['valid'], valid[view])
        assert f'{view}.pooled/effective_rank' in logs


def make_masked(**changes) -> MultiTaskPretrainer:
    """Of a whole view and a masked one, which a momentum copy encodes, too."""
    hidden = keep(
        feature_map='masked.feature_map',
        copy='masked.momentum_feature_map',
        view='masked',
        mask='targets.masked.mask',
    )
    heads = dict(whole=keep(feature_map='clip.feature_map'), hidden=hidden)
    settings = dict(momentum_encoder=dict(views=('masked',)), **changes)
    model = make_pretrainer(heads, VIEWS, targets=('masked.mask',), **settings)
    for follower, source in model.momentum_pairs():
        follower.start(source)
    return model


@pytest.mark.parametrize('together', [False, True])
@pytest.mark.parametrize('reads', ['mask', 'nothing'])
def test_the_student_sees_the_masked_view_without_its_mask_and_all_else_sees_it_whole(
    reads, together
):
    model = make_masked(backbone=dict(type=Student, reads=reads), encode_together=together)
    mask, (clip, masked) = tube_mask((2, 2, 2), 1), torch.randn(2, 2, 3, 4, 4, 4)
    model(dict(clip=clip, masked=masked), dict(masked=dict(mask=mask)), mode='loss')
    places = mask.repeat_interleave(2, 2).repeat_interleave(2, 3).repeat_interleave(2, 4)
    (first, no_mask), (second, own) = model.backbone.calls
    assert torch.equal(first, clip) and not no_mask
    if reads == 'mask':
        assert torch.equal(second, masked) and torch.equal(own['mask'], mask)
    else:
        assert torch.equal(second, masked.masked_fill(places, 0)) and not own
    given = model.heads['hidden'].given
    assert torch.equal(given['view'], masked) and torch.equal(given['copy'], masked)
    assert torch.equal(model.heads['whole'].given['feature_map'], clip)
    assert torch.equal(given['mask'], mask)


def make_batch() -> tuple[dict[str, Tensor], dict[str, dict[str, Tensor]]]:
    clip, masked = torch.randn(2, 2, 3, 4, 4, 4, generator=torch.Generator().manual_seed(0)) + 5
    return dict(clip=clip, masked=masked), dict(masked=dict(mask=tube_mask((2, 2, 2), 1)))


def statistics(layer: nn.BatchNorm3d) -> Tensor:
    return torch.cat([layer.running_mean, layer.running_var])


@pytest.mark.parametrize('together', [False, True])
def test_batch_normalization_keeps_the_statistics_of_whole_or_of_chosen_views(together):
    """Evaluation and the momentum copy normalize whole clips by them. Losses stay."""
    inputs, targets = make_batch()
    losses = []
    for changes in ({}, dict(statistics_views=('clip',)), dict(statistics_views=('masked',))):
        model = make_masked(backbone=dict(type=Normalizing), encode_together=together, **changes)
        alone = copy.deepcopy(model.train().backbone)
        losses.append(model(inputs, targets, mode='loss')['loss'])
        alone(inputs['clip'])
        kept, expected = statistics(model.backbone.norm), statistics(alone.norm)
        if changes == dict(statistics_views=('masked',)):
            assert (kept[:3] < expected[:3] / 2).all()
        else:
            assert torch.equal(kept, expected) and kept[0] != 0
        model.eval()(inputs, targets, mode='loss')
        assert torch.equal(statistics(model.backbone.norm), kept), 'evaluation moves nothing'
    assert losses[0] == losses[1] == losses[2]


def test_masked_views_alone_are_no_statistics_of_a_student_that_reads_zeros():
    inputs, targets = make_batch()

    def make(**changes) -> MultiTaskPretrainer:
        settings = {'backbone': dict(type=Normalizing), 'encode': ('masked',), **changes}
        heads = dict(hidden=keep(feature_map='masked.feature_map'))
        return make_pretrainer(heads, VIEWS, targets=('masked.mask',), **settings).train()

    with pytest.raises(
        ConfigError, match=r"encode=\['masked'\] has only .*: add a whole view to mo"
    ):
        make()(inputs, targets, mode='loss')
    for model in (
        make().eval(),
        make(backbone=dict(type=Normalizing, norm_eval=True)),
        make(backbone=dict(type=Normalizing, reads_mask=True)),
        make(backbone=dict(type=Student, reads='nothing')),
        make(statistics_views=('masked',)),
    ):
        assert model(inputs, targets, mode='loss')['loss'].isfinite()


def test_frozen_statistics_go_on_where_they_were():
    """Also after an error."""
    layer, alone = (nn.BatchNorm1d(2) for _ in range(2))
    for batch in torch.randn(4, 8, 2):
        layer(batch), alone(batch)
        with pytest.raises(RuntimeError), frozen_statistics(layer):
            layer(batch + 1)
            raise RuntimeError
    assert torch.equal(layer.running_mean, alone.running_mean)


@pytest.mark.parametrize('of_frames', [True, False])
def test_no_padded_frame_of_a_2d_student_enters_a_mean_and_none_gets_a_gradient(of_frames):
    """Positions of a 3D student's map are not the view's frames, and are left as they are."""
    torch.manual_seed(0)
    clips = torch.randn(3, 2, 5, 4, 4, requires_grad=True)
    valid = torch.arange(5) < torch.tensor([[2], [5], [1]])
    backbone = torch.nn.Conv2d(2, 4, 1) if of_frames else torch.nn.Conv3d(2, 4, 1)
    means = encode_view(backbone, clips, valid, of_frames)[-1].mean(2)
    kept = valid if of_frames else torch.ones_like(valid)
    for clip, mean, own in zip(clips, means, kept):
        frames = clip[:, own]
        expected = backbone(frames.transpose(0, 1)).mean(0) if of_frames else backbone(frames)
        torch.testing.assert_close(mean, expected if of_frames else expected.mean(1))
    means.square().sum().backward()
    assert torch.equal(clips.grad.abs().sum((1, 3, 4)) > 0, kept)


def test_a_student_that_reads_padding_and_no_mask_gets_both():
    gru = MODELS.build(dict(type='mmact_ssl.SkeletonGRU', layout='jhmdb15', hidden_size=4))
    clips, valid = torch.randn(2, 1, 6, 15, 3), torch.arange(6) < torch.tensor([[[6]], [[4]]])
    mask = torch.zeros(2, 1, 2, 15, 1, dtype=torch.bool)
    mask[:, :, 1] = True
    found = encode_view(gru, clips, valid, False, mask)[0]
    assert torch.equal(found, gru(hide_masked(clips, mask), valid))
    assert not torch.equal(found, gru(hide_masked(clips, mask), torch.ones_like(valid)))
