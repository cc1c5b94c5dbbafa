"""The trainer on views with padding: each is encoded and pooled with its own validity."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mmact_ssl.models.heads import PretextHead, Term
from mmact_ssl.models.pretrainer import MultiTaskPretrainer


class MaskedBackbone(nn.Module):
    """Notes which validity came with which view."""

    reads_valid = True

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.calls: list[tuple[Tensor, Tensor]] = []

    def forward(self, view: Tensor, valid: Tensor) -> Tensor:
        self.calls.append((view, valid))
        return view.flatten(2)[:, None] * self.scale  # (B, 1, T, D)


class ValidMean(nn.Module):
    """The mean over valid frames of a map ``(B, 1, T, D)``."""

    def forward(self, feature_map: Tensor, valid: Tensor) -> Tensor:
        weight = valid.float()[:, None, :, None]
        return (feature_map * weight).sum((1, 2)) / weight.sum((1, 2))


class PooledHead(PretextHead):
    """A head that keeps the pooled feature and the validity."""

    def __init__(self, view: str) -> None:
        super().__init__(dict(feature=f'{view}.pooled', valid=f'targets.{view}.valid'))
        self.given: dict[str, Tensor] = {}

    def terms(self, **inputs: Tensor) -> dict[str, Term]:
        self.given = inputs
        return dict(loss=Term(inputs['feature'].square().mean(1)))


class WithValidity(nn.Module):
    """Names what it gives as a skeleton's data preprocessor does; here inputs come ready."""

    views, made_targets = ('clip', 'masked'), ('clip.valid', 'masked.valid')


def sequences() -> tuple[dict[str, Tensor], dict[str, dict[str, Tensor]]]:
    generator = torch.Generator().manual_seed(0)
    clip, masked = torch.randn(2, 2, 5, 3, generator=generator)
    frames = torch.arange(5)
    lengths = dict(clip=torch.tensor([[5], [3]]), masked=torch.tensor([[2], [4]]))
    targets = {view: dict(valid=frames < length) for view, length in lengths.items()}
    return dict(clip=clip, masked=masked), targets


@pytest.mark.parametrize('together', [False, True])
def test_each_view_is_encoded_and_pooled_with_its_own_validity(together):
    inputs, targets = sequences()
    model = MultiTaskPretrainer(
        backbone=dict(type=MaskedBackbone),
        heads={view: dict(type=PooledHead, view=view) for view in ('clip', 'masked')},
        data_preprocessor=WithValidity(),
        encode=('clip', 'masked'),
        encode_together=together,
        pooling=dict(type=ValidMean),
    )
    logs = model(inputs, targets, mode='loss')
    assert len(model.backbone.calls) == (1 if together else 2)
    views = torch.cat([view for view, _ in model.backbone.calls])
    masks = torch.cat([valid for _, valid in model.backbone.calls])
    assert torch.equal(views, torch.cat([inputs['clip'], inputs['masked']]))
    assert torch.equal(masks, torch.cat([targets[view]['valid'] for view in ('clip', 'masked')]))
    for view in ('clip', 'masked'):
        slow = torch.stack(
            [row[keep].mean(0) for row, keep in zip(inputs[view], targets[view]['valid'])]
        )
        given = model.heads[view].given
        torch.testing.assert_close(given['feature'], slow)
        assert torch.equal(given['valid'], targets[view]['valid'])
    assert f'{view}.pooled/effective_rank' in logs
