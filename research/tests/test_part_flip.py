"""Mirrored part maps, and who tells left from right."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import mmact_ssl  # noqa: F401  the fixes
from mmact_ssl.datasets import layouts
from mmact_ssl.datasets.layouts import PART_LAYOUTS
from mmact_ssl.errors import ConfigError
from mmact_ssl.models.pretrainer import MultiTaskPretrainer
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.visualization.predictions import find_part_layout
from research.part_flip import compare_with_mirror, describe, flip_agreement, mirror_part_maps

LAYOUT = PART_LAYOUTS['demo_parts']
FACE, LEFT, RIGHT = LAYOUT.index('face', 'left_arm', 'right_arm')
FRAMES, HEIGHT, WIDTH = 2, 5, 9


@settings(max_examples=20)
@given(st.sampled_from(sorted(PART_LAYOUTS)), st.integers(0, 999))
def test_two_mirrors_show_what_is_there(name, seed):
    layout = PART_LAYOUTS[name]
    generator = torch.Generator().manual_seed(seed)
    maps = torch.rand(2, 3, len(layout.names), 4, 5, generator=generator)
    once = mirror_part_maps(maps, layout)
    assert torch.equal(mirror_part_maps(once, layout), maps)
    for part, name in enumerate(layout.names):
        other = layout.index(layouts._mirrored(name))[0]
        assert torch.equal(once[:, :, other, :, 0], maps[:, :, part, :, -1])


def arms(left: int, right: int) -> torch.Tensor:
    """A clip whose left arm fills column ``left`` and whose right arm column ``right``."""
    maps = torch.zeros(1, 2, len(LAYOUT.names), 4, 6)
    maps[:, :, 0] = 1
    for part, column in ((LEFT, left), (RIGHT, right)):
        maps[:, :, :, :, column] = 0
        maps[:, :, part, :, column] = 1
    return maps


def test_who_knows_the_sides_agrees_only_when_they_are_exchanged():
    # The person's left arm, at column 4, is in the mirror a right arm at column 1.
    knows = flip_agreement(arms(left=4, right=0), arms(left=5, right=1), LAYOUT)
    assert (float(knows['exchanged']), float(knows['not_exchanged'])) == (1.0, 0.0)
    goes_by_the_place = flip_agreement(arms(left=4, right=0), arms(left=1, right=5), LAYOUT)
    assert list(map(float, goes_by_the_place.values())) == [0.0, 1.0]


def test_a_person_alone_has_no_sides():
    person = torch.zeros(1, 1, 1, 2, 4)
    person[..., 2:] = 1
    for mirrored, overlap in ((person, 0.0), (1 - person, 1.0)):
        found = flip_agreement(person, mirrored, PART_LAYOUTS['person'])
        assert [float(value) for value in found.values()] == pytest.approx([overlap] * 2)


def paint(face: int, left: int, right: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames ``(3, T, H, W)`` and part maps ``(T, C, H, W)`` of a person who faces the camera.

    Its arms are columns in one color, of which the left has a patch, its face a spot at the top.
    """
    frames = torch.zeros(3, FRAMES, HEIGHT, WIDTH)
    maps = torch.zeros(FRAMES, len(LAYOUT.names), HEIGHT, WIDTH)
    for channel, part, row, column in (
        (0, LEFT, slice(1, 4), left),
        (0, RIGHT, slice(1, 4), right),
        (1, FACE, 0, face),
    ):
        frames[channel, :, row, column] = 1
        maps[:, part, row, column] = 1
    frames[2, :, 1:4, left] = 1
    maps[:, 0] = 1 - maps.sum(1)
    return frames, maps


class ByTheFace(nn.Module):
    """Knows the sides: who faces the camera has the left arm on the picture's right."""

    def forward(self, frames: Tensor, size: tuple[int, ...]) -> Tensor:
        arms, face = frames[:, 0], frames[:, 1]  # (B, T, H, W)
        column = face.amax(2).argmax(2)[..., None, None]  # (B, T, 1, 1)
        beyond = (torch.arange(frames.shape[-1]) > column) * torch.ones_like(arms)
        return as_logits(face, arms * beyond, arms * (1 - beyond))


class ByThePatch(nn.Module):
    """Blind to sides: an arm with a patch is a left one, in the mirror too."""

    def forward(self, frames: Tensor, size: tuple[int, ...]) -> Tensor:
        arms, face, patch = frames.unbind(1)
        return as_logits(face, arms * patch, arms * (1 - patch))


def as_logits(face: Tensor, left: Tensor, right: Tensor) -> Tensor:
    parts = torch.zeros(*face.shape[:2], len(LAYOUT.names), *face.shape[2:])
    parts[:, :, FACE], parts[:, :, LEFT], parts[:, :, RIGHT] = face, left, right
    parts[:, :, 0] = 1 - parts.sum(2)
    return 20 * parts


def student(decoder: nn.Module, online: dict | None = None) -> MultiTaskPretrainer:
    """One whose feature_map is the frames themselves, and that reads the parts with this decoder.

    Its teacher's maps are targets, or come from one that works online.
    """
    cached = ('clip.parts',) if online is None else ()
    model = MultiTaskPretrainer(
        backbone=dict(type=nn.Identity),
        heads=dict(
            parsing=dict(
                type='mmact_ssl.ParsingDistillationHead',
                in_channels=3,
                num_parts=len(LAYOUT.names),
                map_size=(HEIGHT, WIDTH),
                hidden_dim=8,
            )
        ),
        data_preprocessor=dict(
            type='mmact_ssl.PretextDataPreprocessor',
            mean=[0.0] * 3,
            std=[1.0] * 3,
            views=('clip',),
            targets=('clip.valid', *cached),
        ),
        teachers=None if online is None else dict(parts=dict(teacher=online, views=('clip',))),
    )
    model.heads['parsing'].decoder = decoder
    return model.eval()


def people() -> dict:
    """Two clips of people, as the model's preprocessor gives them."""
    frames, maps = zip(paint(face=3, left=6, right=1), paint(face=5, left=7, right=2))
    valid = torch.ones(2, FRAMES, dtype=torch.bool)
    targets = dict(clip=dict(parts=torch.stack(maps), valid=valid))
    return dict(inputs=dict(clip=torch.stack(frames)), targets=targets, data_samples=None)


def test_an_exact_student_agrees_with_its_teacher_and_with_its_mirror_image():
    data = people()
    found = compare_with_mirror(student(ByTheFace()), 'parsing', data, LAYOUT)
    assert found['teacher'].tolist() == found['mirrored'].tolist() == [1, 1]
    assert found['exchanged'].tolist() == [1, 1]
    # The face alone is where it was, of three parts.
    assert found['not_exchanged'].tolist() == pytest.approx([1 / 3] * 2)
    assert describe(found) == (
        'mean IoU of 2 clips: with the teacher 1.00, mirrored 1.00; with the mirrored clip 1.00, '
        'or if left and right are not exchanged 0.33'
    )
    for name, value in people()['inputs'].items():
        assert torch.equal(data['inputs'][name], value), 'the clips are as they were'


def test_a_student_that_is_blind_to_sides_is_found_out():
    found = compare_with_mirror(student(ByThePatch()), 'parsing', people(), LAYOUT)
    assert found['teacher'].tolist() == [1, 1], 'which the clips alone do not show'
    assert found['mirrored'].tolist() == pytest.approx([1 / 3] * 2)
    assert found['exchanged'].tolist() == pytest.approx([1 / 3] * 2)
    assert found['not_exchanged'].tolist() == [1, 1]


class Parser(BaseTeacher):
    """Makes the exact maps from the frames, online."""

    kind = 'map'

    def __init__(self, layout: str) -> None:
        super().__init__({}, {})
        self.layout = layout

    def predict(self, frames: Tensor) -> Tensor:
        logits = ByTheFace()((frames[None].float() > 0).float().transpose(1, 2), ())
        return logits[0].softmax(1).round()


def test_a_parser_that_works_online_is_asked_for_the_mirrored_clip():
    model = student(ByTheFace(), dict(type=Parser, layout='demo_parts'))
    data = people()
    del data['targets']['clip']['parts']
    found = compare_with_mirror(model, 'parsing', data, find_part_layout(model, 'parsing', []))
    assert found['mirrored'].tolist() == [1, 1]


def test_the_layout_is_that_of_the_cache_and_missed_by_name():
    model = student(ByTheFace())
    cache = dict(type='LoadTargets', target='parts', layout='demo_parts')
    other = dict(type='LoadTargets', target='masks', layout='person')
    pipeline = [dict(type='SampleViews'), other, cache, other]
    assert find_part_layout(model, 'parsing', pipeline) is LAYOUT
    with pytest.raises(ConfigError, match="'targets.clip.parts' is None.*LoadTargets.*lip"):
        find_part_layout(model, 'parsing', [other])
