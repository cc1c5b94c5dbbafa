"""The vision transformer that leaves patches out, against mmaction2's own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS as MMACTION

from mmact_ssl.errors import ConfigError
from mmact_ssl.io.weights import load_pretrained, take_pretrained
from mmact_ssl.models.backbones.masked_vit import MaskedVisionTransformer
from mmact_ssl.registry import MODELS
from tests.helpers.masks import tube_mask
from tests.shipped import build, load

SMALL = dict(img_size=32, patch_size=8, embed_dims=24, depth=2, num_heads=3, num_frames=4)


def make(**settings) -> MaskedVisionTransformer:
    torch.manual_seed(0)
    return MaskedVisionTransformer(**{**SMALL, **settings}).eval()


def save_mmaction(path: Path, **settings) -> torch.nn.Module:
    """A recognizer of mmaction2 with random weights, saved as its zoo does."""
    torch.manual_seed(3)
    model = MMACTION.build(
        dict(
            type='mmaction.Recognizer3D',
            backbone=dict(type='mmaction.VisionTransformer', **{**SMALL, **settings}),
            data_preprocessor=dict(type='mmaction.ActionDataPreprocessor'),
            cls_head=dict(type='mmaction.TimeSformerHead', num_classes=5, in_channels=24),
        )
    ).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    torch.save(dict(meta={}, state_dict=model.state_dict()), path)
    return model.backbone


@pytest.mark.parametrize('side', [32, 48])
@pytest.mark.parametrize('pooled', [True, False])
@pytest.mark.parametrize('as_map', [True, False])
def test_a_checkpoint_of_mmaction2_loads_whole_and_gives_its_features(
    tmp_path, side, pooled, as_map
):
    """Also at another size than its own, for which it resizes its positions."""
    kind = dict(use_mean_pooling=pooled, return_feat_map=as_map)
    theirs = save_mmaction(tmp_path / 'zoo.pth', **kind)
    start = dict(type='Pretrained', checkpoint=str(tmp_path / 'zoo.pth'))
    student = MODELS.build(
        dict(type='mmact_ssl.MaskedVisionTransformer', **SMALL, **kind, init_cfg=start)
    ).eval()
    for part, where in take_pretrained(student):
        load_pretrained(part, **where)
    clips = torch.randn(2, 3, 4, side, side, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, found = theirs(clips), student(clips)
    assert expected.std() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    mask = torch.zeros(2, 1, 2, side // 8, side // 8, dtype=torch.bool)
    if side == 32 and as_map:
        torch.testing.assert_close(student(clips, mask), expected, rtol=1e-5, atol=1e-5)
    assert set(student.state_dict()) == set(theirs.state_dict())


def test_vit_b_has_the_names_and_shapes_of_mmaction2s():
    own = load('videomae_vit-b_k400.py').model.backbone
    ours = build(dict(own, use_mean_pooling=True))
    theirs = build(dict(type='mmaction.VisionTransformer'))
    shapes = [{k: v.shape for k, v in m.state_dict().items()} for m in (ours, theirs)]
    assert shapes[0] == shapes[1] and len(shapes[0]) > 150


def test_the_visible_patches_are_encoded_alone():
    """Masked pixels may be anything, and get no gradient; the map has the visible ones' mean."""
    vit, mask = make(), tube_mask((2, 4, 4), visible=5)
    clips = torch.randn(2, 3, 4, 32, 32, requires_grad=True)
    found = vit(clips, mask)
    assert found.shape == (2, 24, 2, 4, 4)
    pixels = mask.repeat_interleave(2, 2).repeat_interleave(8, 3).repeat_interleave(8, 4)
    other = vit(clips.detach().masked_fill(pixels, 1e3), mask)
    assert torch.equal(found, other)
    found.square().sum().backward()
    assert torch.equal(clips.grad.any(1, keepdim=True), ~pixels)
    for clip, hidden in zip(found.flatten(2), mask.flatten(1)):
        mean = clip[:, ~hidden].mean(1, keepdim=True)
        torch.testing.assert_close(clip[:, hidden], mean.expand(-1, int(hidden.sum())))


def test_visible_patches_see_each_other_as_in_a_loop_over_their_tokens():
    vit, mask = make(), tube_mask((2, 4, 4), visible=3, batch=1)
    clip = torch.randn(1, 3, 4, 32, 32)
    tokens = vit.patch_embed(clip)[0][0] + vit.pos_embed[0]
    tokens = torch.stack([tokens[i] for i in range(32) if not mask.flatten()[i]])[None]
    for block in vit.blocks:
        tokens = block(tokens)
    found = vit(clip, mask).flatten(2)[0, :, ~mask.flatten()]
    torch.testing.assert_close(found.T, vit.norm(tokens)[0])


def test_what_no_map_passes_is_not_trained():
    frozen = [
        name for name, p in make(use_mean_pooling=True).named_parameters() if not p.requires_grad
    ]
    assert frozen == ['fc_norm.weight', 'fc_norm.bias']
    assert all(p.requires_grad for p in make().parameters())


def test_clips_of_another_length_are_refused():
    with pytest.raises(ConfigError, match='num_frames=4, but a view has 6'):
        make()(torch.zeros(1, 3, 6, 32, 32))


@pytest.mark.parametrize('patch', [(4, 8, 4), (4, 4, 8), (2, 16, 4), (2, 8, 4)])
def test_a_mask_of_another_grid_is_refused_with_the_patch_to_give(patch):
    """Also if it has as many places."""
    grid = tuple(size // side for size, side in zip((4, 32, 32), patch))
    match = (
        rf'a grid of \({grid[0]}, {grid[1]}, {grid[2]}\) places, the student one of \(2, 4, 4\) '
    )
    with pytest.raises(ConfigError, match=match + r'.*MaskTubes patch=\(2, 8, 8\)'):
        make()(torch.zeros(2, 3, 4, 32, 32), tube_mask(grid, visible=2))
