"""Motion prediction: clip by clip against a loop, what never counts, and any backbone's map."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mmact_ssl.models.heads.motion_prediction import MotionPredictionHead

PERSONS, TIME, JOINTS, COORDINATES, CHANNELS = 2, 8, 15, 2, 5
LENGTHS, PRESENT, SHOWN = (8, 5, 1), ((0, 1), (1,), (0,)), (6, 4, 1)


def make(**settings) -> MotionPredictionHead:
    torch.manual_seed(0)
    sizes = dict(num_persons=PERSONS, coordinates=COORDINATES, hidden_size=6)
    return MotionPredictionHead(CHANNELS, 'jhmdb15', **(sizes | settings)).double()


def make_inputs(persons: int = 1, time: int = TIME, joints: int = 1) -> dict[str, Tensor]:
    """Of a backbone whose map has these persons, frames and joints."""
    generator = torch.Generator().manual_seed(0)
    valid = torch.zeros(3, PERSONS, TIME, dtype=torch.bool)
    for b, (length, present) in enumerate(zip(LENGTHS, PRESENT)):
        valid[b, list(present), :length] = True
    clip = torch.randn(3, PERSONS, TIME, JOINTS, COORDINATES, generator=generator).double()
    feature_map = torch.randn(3, persons, CHANNELS, time, joints, generator=generator).double()
    clip = clip * valid[..., None, None]
    masked = clip.clone()
    for b, shown in enumerate(SHOWN):
        masked[b, :, shown:] = 0
    return dict(feature_map=feature_map, masked=masked, clip=clip, valid=valid)


def slow_prediction(head: MotionPredictionHead, feature_map: Tensor, b: int) -> Tensor:
    """Of clip b: (length, M, V, C), each frame's feature found by hand, the decoder on it alone."""
    persons = range(feature_map.shape[1]) if feature_map.shape[1] == 1 else PRESENT[b]
    frames = []
    for t in range(LENGTHS[b]):
        source = t * feature_map.shape[3] // TIME
        values = [
            feature_map[b, m, :, source, v].clone()
            for m in persons
            for v in range(feature_map.shape[4])
        ]
        frames.append(sum(values) / len(values))
    decoded = head.decoder(torch.stack(frames)[None])[0][0]
    return head.output(decoded).view(-1, PERSONS, JOINTS, COORDINATES)


def mean_distance(inputs: dict[str, Tensor], b: int, poses: Tensor, first: int = 0) -> float:
    """Of clip b's joints from poses ``(length, M, V, C)``, from a frame on."""
    clip = inputs['clip'][b].transpose(0, 1)[: len(poses)]
    return float((poses - clip).norm(dim=-1)[first:, PRESENT[b]].mean().detach())


@pytest.mark.parametrize('padded_frames', [None, 3, 20])
@pytest.mark.parametrize('shape', [(1, 8, 1), (2, 4, 3), (2, 2, 15)])
def test_loss_and_errors_equal_a_loop(padded_frames, shape):
    """On the map of a GRU, and of graph convolutions with strides 2 and 4 in time."""
    loss = dict(type='MotionLoss', padded_frames=padded_frames)
    head, inputs = make(loss=loss), make_inputs(*shape)
    squares, errors, held = [], [], []
    masked_errors, masked_held = [], []
    for b, length in enumerate(LENGTHS):
        prediction = slow_prediction(head, inputs['feature_map'], b)
        persons = PRESENT[b] if padded_frames is None else range(PERSONS)
        for m in persons:
            for t in range(length):
                difference = prediction[t, m] - inputs['clip'][b, m, t]
                squares += difference.square().flatten().tolist()
        still = inputs['clip'][b].transpose(0, 1)[:length].clone()
        still[SHOWN[b] :] = still[SHOWN[b] - 1]
        errors.append(mean_distance(inputs, b, prediction))
        held.append(mean_distance(inputs, b, still))
        masked_errors.append(mean_distance(inputs, b, prediction, SHOWN[b]))
        masked_held.append(mean_distance(inputs, b, still, SHOWN[b]))
    if padded_frames is not None:  # padded frames are in the mean, and their error is 0
        frames = next(n for n in range(TIME, 100) if n % padded_frames == 0)
        squares += [0.0] * (PERSONS * JOINTS * COORDINATES * sum(frames - n for n in LENGTHS))
    losses = head.loss(**inputs)
    assert losses['loss'].item() == pytest.approx(sum(squares) / len(squares), rel=1e-9)
    assert losses['error'].item() == pytest.approx(sum(errors) / 3, rel=1e-9)
    predicted = head.predict(**inputs)
    assert predicted['error'].tolist() == pytest.approx(errors, rel=1e-9)
    assert predicted['error_repeat_last'].tolist() == pytest.approx(held, rel=1e-9)
    # The last clip has no masked frame: it does not count.
    assert math.isnan(masked_errors[2]) and not math.isnan(masked_errors[1])
    same = pytest.approx(masked_errors, rel=1e-9, nan_ok=True)
    assert predicted['error_masked'].tolist() == same
    assert losses['error_masked'].item() == pytest.approx(sum(masked_errors[:2]) / 2, rel=1e-9)
    same = pytest.approx(masked_held, rel=1e-9, nan_ok=True)
    assert predicted['error_masked_repeat_last'].tolist() == same
    assert predicted['coordinates'].shape == inputs['clip'].shape


def gradients(head: MotionPredictionHead, inputs: dict[str, Tensor]) -> list[Tensor]:
    feature_map = inputs['feature_map'].clone().requires_grad_()
    loss = head.loss(**{**inputs, 'feature_map': feature_map})['loss']
    return [loss, *torch.autograd.grad(loss, [feature_map, *head.parameters()])]


@pytest.mark.parametrize('garbage', [1e3, math.nan])
def test_padding_of_the_features_never_counts(garbage):
    head, inputs = make(), make_inputs()
    padded = ~inputs['valid'].any(1)[:, None, None, :, None]  # (3, 1, 1, T, 1)
    expected = gradients(head, inputs)
    got = gradients(
        head, {**inputs, 'feature_map': inputs['feature_map'].masked_fill(padded, garbage)}
    )
    assert all(torch.equal(one, other) for one, other in zip(got, expected))
    assert not expected[1][padded.expand_as(expected[1])].any()
    assert expected[1].any() and all(gradient.any() for gradient in expected[2:])
