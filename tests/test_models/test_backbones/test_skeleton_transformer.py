"""The transformer over joints: its tokens, what it leaves out, and what it refuses."""

from __future__ import annotations

import pytest
import torch

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.backbones.skeleton_transformer import SkeletonTransformer
from tests.helpers.masks import joint_mask


def make(**settings) -> SkeletonTransformer:
    torch.manual_seed(0)
    small = dict(num_frames=12, segment=3, embed_dims=16, depth=2, num_heads=2, in_channels=2)
    network = SkeletonTransformer('jhmdb15', **(small | settings)).eval()
    network.init_weights()
    return network


CLIPS = torch.randn(3, 2, 12, 15, 2, generator=torch.Generator().manual_seed(1))


def test_a_token_is_a_joint_in_a_segment_and_each_person_is_alone():
    network = make()
    found = network(CLIPS)
    assert found.shape == (3, 2, 16, 4, 15)
    tokens = torch.stack(
        [
            network.embed(CLIPS[1, 1, 3 * s : 3 * s + 3, v].flatten())
            + network.joint_codes[v]
            + network.time_codes[s, 0]
            for s in range(4)
            for v in range(15)
        ]
    )[None]
    for block in network.blocks:
        tokens = block(tokens)
    expected = network.norm(tokens)[0].unflatten(0, (4, 15)).permute(2, 0, 1)
    torch.testing.assert_close(found[1, 1], expected)


def test_masked_joints_may_be_anything_and_get_no_gradient():
    network, mask = make(), joint_mask((3, 2, 4, 15), 6)
    clips = CLIPS.clone().requires_grad_()
    found = network(clips, mask)
    hidden = mask.repeat_interleave(3, 2)
    assert torch.equal(found, network(CLIPS.masked_fill(hidden, torch.nan), mask))
    found.square().sum().backward()
    assert torch.equal(clips.grad.any(4, keepdim=True), ~hidden)
    flat, places = found.flatten(3), mask.flatten(2)
    mean = flat[0, 1][:, ~places[0, 1]].mean(1, keepdim=True)
    torch.testing.assert_close(flat[0, 1][:, places[0, 1]], mean.expand(-1, 54))
    torch.testing.assert_close(network(CLIPS, torch.zeros_like(mask)), network(CLIPS))


def test_a_shorter_clip_has_the_first_segments():
    assert make()(CLIPS[:, :, :6]).shape == (3, 2, 16, 2, 15)


@pytest.mark.parametrize(
    ('clips', 'message'),
    [
        (CLIPS[:, :, :7], '7 frames.*multiple of segment=3 and at most 12'),
        (CLIPS.repeat(1, 1, 2, 1, 1), '24 frames'),
        (CLIPS[..., :1], r'\(2, 15, 1\) but is built for \(None, 15, 2\)'),
        (CLIPS[:, :, :, :3], r'\(2, 3, 2\) but'),
    ],
)
def test_other_clips_are_refused(clips, message):
    with pytest.raises(ConfigError, match=message):
        make()(clips)


def test_a_mask_of_another_grid_is_refused_even_with_as_many_places():
    with pytest.raises(ConfigError, match=r'\(2, 2, 30\) places.*\(2, 4, 15\).*segment=3'):
        make()(CLIPS, joint_mask((3, 2, 2, 30), 6))
