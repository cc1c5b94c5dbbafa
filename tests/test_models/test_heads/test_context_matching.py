"""Context matching: I-frames are encoded one by one, padding never, and scored against loops."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_ssl.models.heads.context_matching import ContextMatchingHead
from mmact_ssl.models.losses.contrastive import MultiInstanceInfoNCELoss


class TinyEncoder(nn.Module):
    """A 2D network with batch normalization that returns a tuple, as OpenMMLab backbones do."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 5, 3, stride=2)
        self.norm = nn.BatchNorm2d(5)
        self.seen = 0

    def forward(self, images: Tensor) -> tuple[Tensor]:
        self.seen += len(images)
        return (self.norm(self.convolution(images)),)


def make_head() -> ContextMatchingHead:
    torch.manual_seed(0)
    return ContextMatchingHead(
        in_channels=4,
        frame_encoder=dict(type=TinyEncoder),
        frame_channels=5,
        embedding_dim=6,
        hidden_dim=8,
        loss=dict(type='MultiInstanceInfoNCELoss', temperature=0.2),
    )


def make_inputs() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    valid = torch.tensor([[True, True, True], [True, False, False], [False, True, True]])
    return dict(
        static=torch.randn(3, 4, 2, 2, 2, generator=generator),
        keyframes=torch.randn(3, 3, 3, 8, 8, generator=generator),
        valid=valid,
    )


def total(losses: dict[str, Tensor]) -> Tensor:
    return losses['loss_clips'] + losses['loss_keyframes']


def test_padding_never_reaches_the_frame_encoder():
    """Losses, gradients and the statistics of batch normalization don't know of padding."""
    outcomes = []
    for garbage in (0.0, 1e4, float('nan')):
        head, inputs = make_head(), make_inputs()
        frames = inputs['keyframes'].transpose(1, 2)  # a view of the same memory: (B, K, 3, H, W)
        frames[~inputs['valid']] = garbage
        losses = head.loss(**inputs)
        total(losses).backward()
        assert head.frame_encoder.seen == 6
        norm = head.frame_encoder.norm
        outcomes.append(
            [total(losses).detach(), norm.running_mean, norm.running_var]
            + [parameter.grad for parameter in head.parameters()]
        )
    assert outcomes[0][1].abs().sum() > 0
    for other in outcomes[1:]:
        assert all(torch.equal(a, b) for a, b in zip(outcomes[0], other))


def test_embeddings_belong_to_their_clip_and_slot():
    head, inputs = make_head().eval(), make_inputs()
    clips, frames = head.embed(**inputs)
    assert clips.shape == (3, 6)
    assert frames.shape == (3, 3, 6)
    for b in range(3):
        pooled = inputs['static'][b].mean((1, 2, 3))
        torch.testing.assert_close(clips[b], head.clip_projector(pooled))
        for k in range(3):
            expected = torch.zeros(6)
            if inputs['valid'][b, k]:
                image = inputs['keyframes'][b, :, k][None]
                expected = head.frame_projector(head.frame_encoder(image)[0].mean((2, 3)))[0]
            torch.testing.assert_close(frames[b, k], expected)


def test_the_loss_is_the_multi_instance_info_nce():
    head, inputs = make_head().eval(), make_inputs()
    clips, frames = head.embed(**inputs)
    expected = MultiInstanceInfoNCELoss(0.2)(clips, frames, inputs['valid'])
    losses = head.loss(**inputs)
    torch.testing.assert_close(losses['loss_clips'], expected['sample_loss'].mean() / 2)
    keys = expected['key_loss'][inputs['valid']]
    torch.testing.assert_close(losses['loss_keyframes'], keys.mean() / 2)
    assert torch.equal(losses['accuracy'], expected['hit'].mean())
    total(losses).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in head.parameters())


@pytest.mark.parametrize('keyless', [False, True], ids=['all', 'one without I-frames'])
def test_predict_equals_a_loop(keyless):
    head, inputs = make_head().eval(), make_inputs()
    valid = inputs['valid']
    valid[1] &= not keyless
    with torch.no_grad():
        clips, frames = head.embed(**inputs)
        predicted = head.predict(**inputs)
    assert predicted['similarity'].shape == (3, 9)
    for i in range(3):
        scores = {
            (j, p): float(F.cosine_similarity(clips[i], frames[j, p], dim=0))
            for j in range(3)
            for p in range(3)
            if valid[j, p]
        }
        best = max(scores, key=scores.get)
        hit, chance = float(best[0] == i), int(valid[i].sum()) / int(valid.sum())
        if not valid[i].any():
            hit = chance = math.nan
        assert float(predicted['accuracy'][i]) == pytest.approx(hit, nan_ok=True)
        assert float(predicted['chance'][i]) == pytest.approx(chance, nan_ok=True)
        for (j, p), score in scores.items():
            assert float(predicted['similarity'][i, 3 * j + p]) == pytest.approx(score, abs=1e-5)
    assert (predicted['similarity'][:, ~valid.flatten()] == -1).all(), 'padding is like nothing'
