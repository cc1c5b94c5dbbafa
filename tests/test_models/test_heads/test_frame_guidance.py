"""Guidance frame by frame against a slow twin, and what padding may not do."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmact_ssl.models.heads.frame_guidance import FrameGuidanceHead

BATCH, TIME, IN, CHANNELS = 3, 4, 6, 5


def make_head() -> FrameGuidanceHead:
    torch.manual_seed(0)
    return FrameGuidanceHead(IN, CHANNELS)


def make_inputs(steps: int = TIME) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    valid = torch.ones(BATCH, TIME, dtype=torch.bool)
    valid[1, 1:] = False
    return dict(
        feature_map=torch.randn(BATCH, IN, steps, 2, 3, generator=generator),
        target=torch.randn(BATCH, TIME, CHANNELS, generator=generator) * 3 + 5,
        valid=valid,
    )


@pytest.mark.parametrize('steps', [4, 2])
def test_the_loss_against_a_slow_formula(steps):
    """Each frame of the student against the mean of the teacher's valid frames that became it."""
    head, inputs = make_head(), make_inputs(steps)
    loss = head.loss(**inputs)
    group, pairs = TIME // steps, []
    for clip in range(BATCH):
        for step in range(steps):
            frames = range(step * group, (step + 1) * group)
            seen = [inputs['target'][clip, t] for t in frames if inputs['valid'][clip, t]]
            if seen:
                feature = inputs['feature_map'][clip, :, step].mean((1, 2))
                pairs.append((head.reader(feature), torch.stack(seen).mean(0)))
    targets = torch.stack([target for _, target in pairs])
    targets = (targets - targets.mean(0)) / targets.std(0, correction=0)
    cosines = [r @ z / (r.norm() * z.norm()) for (r, _), z in zip(pairs, targets)]
    expected = torch.stack(cosines).mean()
    assert float(loss['cosine']) == pytest.approx(float(expected), rel=1e-4)
    assert float(loss['loss']) == pytest.approx(1 - float(expected), rel=1e-4)


def test_padded_frames_change_nothing_and_the_target_gets_no_gradient():
    inputs = make_inputs()
    inputs['target'].requires_grad_()
    inputs['feature_map'].requires_grad_()
    loss = make_head().loss(**inputs)['loss']
    loss.backward()
    assert inputs['target'].grad is None
    gradient = inputs['feature_map'].grad
    assert gradient[1, :, 1:].abs().sum() == 0
    assert gradient[0].abs().amax((0, 2, 3)).min() > 0

    other = {name: value.detach().clone() for name, value in make_inputs().items()}
    other['target'][1, 1:] = 1e3
    other['feature_map'][1, :, 1:] = -1e3
    assert float(make_head().loss(**other)['loss']) == pytest.approx(float(loss))
