"""Views of a student in training mode: exact batch statistics."""

from __future__ import annotations

import pytest
import torch

from mmact_ssl.models.encoding import encode_view
from mmact_ssl.registry import MODELS


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


def test_a_recurrent_student_knows_the_length_of_a_masked_clip():
    """Zeros at masked joints are no padding, which the validity tells."""
    torch.manual_seed(0)
    gru = MODELS.build(dict(type='mmact_ssl.SkeletonGRU', layout='jhmdb15', hidden_size=4))
    clips, valid = torch.randn(2, 1, 6, 15, 3), torch.ones(2, 1, 6, dtype=torch.bool)
    mask = torch.zeros(2, 1, 2, 15, 1, dtype=torch.bool)
    mask[:, :, 1] = True
    found = encode_view(gru, clips, valid, False, mask)[0]
    hidden = clips * (torch.arange(6) < 3)[:, None, None]
    assert torch.equal(found, gru(hidden, valid)) and found[:, :, :, 5].any()
