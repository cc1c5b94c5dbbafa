"""Views of a student in training mode: exact batch statistics."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.config import Config

from mmact_ssl.models.encoding import encode_view
from mmact_ssl.registry import MODELS
from tests.helpers.masks import tube_mask
from tests.shipped import CONFIGS


def test_batch_statistics_of_a_still_background_are_exact():
    """With channels last in memory torch adds up thousands of equal numbers with an error of 1e-3.

    The gradient of the first convolution is then off by 7 %.
    """
    torch.manual_seed(0)
    cfg = Config.fromfile(CONFIGS / '_base_' / 'students' / 'r3d18-small.py')
    backbone = MODELS.build({**cfg.backbone, 'out_indices': (3,)})
    backbone.init_weights()
    clips = torch.full((8, 3, 8, 64, 64), -1.7)
    clips[..., 16:40, 16:40] += torch.randn(8, 3, 8, 24, 24)
    exact = copy.deepcopy(backbone).double()
    found = {}
    for network in (backbone, exact):
        network.train()
        maps = encode_view(network, clips.to(next(network.parameters()).dtype), None, False)[-1]
        maps.mean((2, 3, 4)).square().sum().backward()
        found[network] = network.conv1.bn.running_mean, network.layer4[1].conv2.conv.weight.grad
    for values, expected in zip(found[backbone], found[exact]):
        assert (values - expected).norm() < 2e-5 * expected.norm()


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


@pytest.mark.parametrize('of_frames', [True, False])
def test_a_student_that_reads_whole_views_reads_zeros_at_masked_places(of_frames):
    torch.manual_seed(0)
    clips, mask = torch.randn(2, 3, 4, 4, 4), tube_mask((2, 2, 2), 1)
    backbone = torch.nn.Conv2d(3, 4, 1) if of_frames else torch.nn.Conv3d(3, 4, 1)
    found = encode_view(backbone, clips, None, of_frames, mask)[0]
    hidden = clips.clone()
    for clip, *place in mask.nonzero().tolist():
        t, y, x = (2 * at for at in place[1:])
        hidden[clip, :, t : t + 2, y : y + 2, x : x + 2] = 0
    torch.testing.assert_close(found, encode_view(backbone, hidden, None, of_frames)[0])


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
