"""Heads learn clips that the features explain, and another clip's features explain nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmact_ssl.models.heads.frame_generation import FrameGenerationHead
from mmact_ssl.models.heads.guidance import TeacherGuidanceHead
from mmact_ssl.models.heads.masked_places import MaskedPixelHead
from mmact_ssl.models.heads.pose_prediction import PosePredictionHead
from tests.helpers.heads import fit
from tests.helpers.masks import tube_mask

CLIPS = 16


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def all_valid(*shape: int) -> Tensor:
    return torch.ones(shape, dtype=torch.bool)


def frames(later: bool):
    """The maps say where a bright square stands; the background does not say it."""
    where = torch.eye(16)[[0, 5, 10, 15]].view(4, 1, 1, 4, 4)
    square = where.repeat_interleave(4, 3).repeat_interleave(4, 4)  # (4, 1, 1, 16, 16)
    shown = square.expand(-1, 3, 4, -1, -1).clone()
    inputs = dict(
        static=where.expand(-1, 4, 1, -1, -1) + 0.1 * draw(4, 4, 1, 4, 4),
        dynamic=draw(4, 4, 1, 4, 4, seed=1),
        frames=shown,
        valid=all_valid(4, 4),
    )
    if later:
        inputs['continued'] = shown.flip(3)  # upside down: the last frame does not tell it
    head = FrameGenerationHead(4, 16, 4, resolutions=(16,), adversarial=None)
    return head, inputs, ('static', 'dynamic'), 'mse', 120, 1e-2


def guidance():
    """A linear teacher, and clips that look alike."""
    clips = draw(CLIPS, 6)
    target = (clips @ draw(6, 5, seed=1))[:, None].expand(-1, 4, -1)
    inputs = dict(clip=clips, clip_b=clips + 0.1 * draw(CLIPS, 6, seed=2))
    for view in ('clip', 'clip_b'):
        inputs |= {f'{view}_image': target, f'{view}_valid': all_valid(CLIPS, 4)}
    head = TeacherGuidanceHead(6, dict(image=dict(channels=5)), hidden_dim=16)
    return head, inputs, ('clip', 'clip_b'), 'image_error', 60, 1e-2


def masked_pixels():
    """Slopes of two kinds."""
    colors, ramp = draw(CLIPS, 2), torch.arange(12.0) / 12
    shown = (colors[:, :1] * ramp + colors[:, 1:] * ramp.square())[:, None, None, None]
    inputs = dict(
        feature_map=colors.repeat(1, 3)[:, :, None, None, None].repeat(1, 1, 2, 2, 3),
        frames=shown.expand(-1, 3, 4, 8, 12),
        mask=tube_mask((2, 2, 3), 2, CLIPS),
        valid=all_valid(CLIPS, 4),
    )
    head = MaskedPixelHead(6, (2, 4, 4), hidden_dim=16, depth=1, num_heads=2)
    return head, inputs, ('feature_map',), 'mse', 150, 3e-3


def poses():
    """The feature says where the person stands and how it moves."""
    place, speed = 0.1 * draw(CLIPS, 1, 1, 2) + 0.4, 0.02 * draw(CLIPS, 1, 1, 2, seed=1)
    body = 0.1 * draw(1, 1, 6, 2, seed=2)
    moved = place + speed * torch.arange(9.0)[:, None, None] + body
    pose = torch.cat([moved, torch.ones(CLIPS, 9, 6, 1)], -1)
    signal = torch.cat([10 * place - 4, 50 * speed], -1).flatten(1)  # (B, 4)
    inputs = dict(
        dynamic=signal[..., None, None, None],
        observed=pose[:, :4],
        observed_valid=all_valid(CLIPS, 4),
        future=pose[:, 4:],
        future_valid=all_valid(CLIPS, 5),
    )
    gan = dict(type='HingeGANLoss', weight=0.02)
    head = PosePredictionHead(4, 6, 4, noise_dim=2, hidden_dim=16, adversarial=gan)
    return head, inputs, ('dynamic',), 'error', 150, 1e-2


@pytest.mark.parametrize(
    'make',
    [
        pytest.param(lambda: frames(False), id='frames'),
        pytest.param(lambda: frames(True), id='later frames'),
        guidance,
        masked_pixels,
        poses,
    ],
)
def test_after_a_short_training_the_error_tells_ones_own_features_from_anothers(make):
    torch.manual_seed(0)
    head, inputs, features, metric, steps, rate = make()
    fit(head, inputs, steps, rate)

    def error(**changes: Tensor) -> float:
        return float(head.eval().predict(**{**inputs, **changes})[metric].mean())

    swapped = {name: inputs[name].roll(1, 0) for name in features}
    assert error(**swapped) > 3 * error()
    for name in features:  # each of them is read
        assert error(**{name: swapped[name]}) > 1.01 * error()
