"""Parsing distillation: what counts, how much, and what moves nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmact_ssl.models.heads.parsing_distillation import ParsingDistillationHead
from mmact_ssl.models.losses.part_map_divergence import as_distribution
from tests.helpers.heads import fit

B, T, H, W = 3, 4, 6, 5


def make(num_parts: int = 3, **attributes) -> ParsingDistillationHead:
    torch.manual_seed(0)
    head = ParsingDistillationHead(4, num_parts, (H, W), frames_per_step=2, hidden_dim=8)
    vars(head).update(attributes)
    return head


def batch(num_parts: int = 3) -> dict[str, Tensor]:
    """Three clips with a person in the middle; the last frame of the second is padding."""
    generator = torch.Generator().manual_seed(0)
    person = torch.zeros(H, W)
    person[2:4, 1:4] = 0.9
    parts = person.expand(B, T, 1, H, W).clone()
    if num_parts > 1:
        share = torch.rand(B, T, num_parts - 1, H, W, generator=generator)
        share /= share.sum(2, keepdim=True)
        parts = torch.cat([1 - parts, parts * share], dim=2)
    valid = torch.ones(B, T, dtype=torch.bool)
    valid[1, 3] = False
    features = torch.randn(B, 4, 2, 3, 3, generator=generator)
    return dict(features=features, parts=parts, valid=valid)


def nobody(parts: Tensor) -> Tensor:
    empty = torch.zeros_like(parts)
    if parts.shape[-3] > 1:
        empty[..., 0, :, :] = 1
    return empty


def shrink(parts: Tensor, pixels: int) -> Tensor:
    """Maps ``(C, h, w)`` of a person of so many pixels, from the first row on."""
    small = nobody(parts)
    covered = (torch.arange(H * W) < pixels).view(H, W)
    if len(parts) == 1:
        small[0][covered] = 0.9
    else:
        small[:2, covered] = torch.tensor([[0.1], [0.9]])
    return small


def slow_loss(head: ParsingDistillationHead, values: dict[str, Tensor]) -> tuple[float, Tensor]:
    """Loss, and which frames count: those in which a person is large enough."""
    teacher = as_distribution(values['parts'])
    divergence = head.loss_module(head.decoder(values['features'], (T, H, W)), teacher)
    inside, background = teacher.sum(2) > 0, teacher[:, :, 0]
    persons = (inside & (background < 0.5)).sum((2, 3))
    counted = values['valid'] & (persons >= head.min_person * H * W)
    pixels = inside & counted[..., None, None]
    weights = (1 + (head.person_weight - 1) * (1 - background))[pixels]
    return float((weights * divergence[pixels]).sum() / weights.sum()), counted


@pytest.mark.parametrize('num_parts', [1, 3])
def test_the_loss_is_the_slow_mean(num_parts):
    """With padding, nobody, a border outside the frame, and persons around the least size."""
    head, values = make(num_parts, person_weight=4.0, min_person=0.2), batch(num_parts)
    parts = values['parts']
    parts[2, 1] = nobody(parts[2, 1])
    parts[0, 0] = shrink(parts[0, 0], 5)  # of 30, and 6 are asked for
    parts[0, 1] = shrink(parts[0, 1], 6)
    parts[0, 2] = shrink(parts[0, 2], 7)
    parts[0, 3] = shrink(parts[0, 3], 5)
    parts[0, 2:, :, 4:] = 0  # neither a person nor less of a frame; one part calls it background
    parts[1, :, :, :, 0] = 0
    found = head.loss(**values)
    loss, counted = slow_loss(head, values)
    assert counted[0].tolist() == [False, True, True, False]
    assert not counted[1, 3] and not counted[2, 1]
    assert found['loss'].item() == pytest.approx(loss, rel=1e-4)
    assert found['valid_fraction'] == counted.float().mean() == pytest.approx(8 / 12)


def test_pixels_outside_the_frame_have_no_gradient(monkeypatch):
    """Nor are they a person: all of their channels are 0, that of the background too."""
    head, values = make(), batch()
    values['parts'][..., :2, :] = 0
    logits = head.decoder(values['features'], (T, H, W)).detach().requires_grad_()
    monkeypatch.setattr(head.decoder, 'forward', lambda features, size: logits)
    head.loss(**values)['loss'].backward()
    assert not logits.grad[..., :2, :].any()
    assert logits.grad[0, 0, :, 2:].all()
    values['parts'][..., 2:, :] = 0
    assert head.loss(**values)['valid_fraction'] == 0


@pytest.mark.parametrize('num_parts', [1, 3])
def test_a_teacher_that_finds_nobody_in_a_whole_video(num_parts):
    """That video has no gradient and no overlap."""
    head, values = make(num_parts), batch(num_parts)
    values['parts'][0] = nobody(values['parts'][0])
    values['features'].requires_grad_()
    head.loss(**values)['loss'].backward()
    assert values['features'].grad.flatten(1).any(1).tolist() == [False, True, True]
    assert head.predict(**values)['mean_iou'].isnan().tolist() == [True, False, False]


@pytest.mark.parametrize('num_parts', [1, 3, 11])
def test_before_training_the_background_has_its_share(num_parts):
    """At the loss's temperature, and the parts share the rest alike."""
    head = make(num_parts)
    logits = head.decoder.classify.bias.detach() / head.loss_module.temperature
    shares = logits.softmax(0) if num_parts > 1 else torch.cat([-logits, logits]).sigmoid()
    assert shares[0].item() == pytest.approx(0.9)
    assert shares[1:].tolist() == pytest.approx([0.1 / (len(shares) - 1)] * (len(shares) - 1))


def test_descent_finds_the_parts_of_every_frame():
    """Though the map has two steps in time and the person walks in each of the four frames."""
    head, values = make(1, person_weight=1.0), batch(1)
    for t in range(T):
        values['parts'][:, t] = values['parts'][:, t].roll(t - 1, -1)
    assert fit(head, values, 120, 1e-2)['mean_iou'] > 0.95


@pytest.mark.parametrize('num_parts', [1, 3])
def test_the_picture_shows_probabilities(num_parts):
    head, values = make(num_parts).eval(), batch(num_parts)
    logits = head.decoder(values['features'], (T, H, W))
    if num_parts == 1:
        expected = 1 / (1 + (-logits).exp())
    else:
        expected = logits.exp() / logits.exp().sum(2, keepdim=True)
    torch.testing.assert_close(head.predict(**values)['maps'], expected)


@pytest.mark.parametrize(('still', 'moving', 'best'), [(1, 0, 1.0), (1, 1, 0.5), (0, 1, 0.0)])
def test_the_trivial_answer_is_one_map_for_all_frames(still, moving, best):
    """It shows the pixel at which all frames have a part, and none that is always another."""
    head, values = make(min_person=0), batch()
    values['parts'] = parts = nobody(values['parts'])
    values['valid'][1] = True
    for b in range(B):
        for t in range(T):
            columns = [0] * still + [1 + (b + t) % (W - 1)] * moving
            parts[b, t, :2, 0, columns] = torch.tensor([[0.0], [1.0]])
    assert head.predict(**values)['mean_iou_constant'].tolist() == pytest.approx([best] * B)
