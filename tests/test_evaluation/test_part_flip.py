"""Mirrored part maps, and who tells left from right."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.datasets.part_layouts import PART_LAYOUTS
from mmact_ssl.evaluation.part_flip import flip_agreement, mirror_part_maps

LAYOUT = PART_LAYOUTS['demo_parts']
LEFT, RIGHT = LAYOUT.index('left_arm', 'right_arm')


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(sorted(PART_LAYOUTS)), st.integers(0, 999))
def test_two_mirrors_show_what_is_there(name, seed):
    layout = PART_LAYOUTS[name]
    generator = torch.Generator().manual_seed(seed)
    maps = torch.rand(2, 3, layout.num_parts, 4, 5, generator=generator)
    once = mirror_part_maps(maps, layout)
    assert torch.equal(mirror_part_maps(once, layout), maps)
    for part, name in enumerate(layout.names):
        other = layout.index(layout._mirrored(name))[0]
        assert torch.equal(once[:, :, other, :, 0], maps[:, :, part, :, -1])


def arms(left: int, right: int) -> torch.Tensor:
    """A clip whose left arm fills column ``left`` and whose right arm column ``right``."""
    maps = torch.zeros(1, 2, LAYOUT.num_parts, 4, 6)
    maps[:, :, 0] = 1
    for part, column in ((LEFT, left), (RIGHT, right)):
        maps[:, :, :, :, column] = 0
        maps[:, :, part, :, column] = 1
    return maps


def test_who_knows_the_sides_agrees_when_they_are_exchanged():
    # The person's left arm, at column 4, is in the mirror a right arm at column 1.
    found = flip_agreement(arms(left=4, right=0), arms(left=5, right=1), LAYOUT)
    assert (float(found['exchanged']), float(found['not_exchanged'])) == (1.0, 0.0)


def test_who_goes_by_the_place_in_the_picture_agrees_when_they_are_not():
    found = flip_agreement(arms(left=4, right=0), arms(left=1, right=5), LAYOUT)
    assert (float(found['exchanged']), float(found['not_exchanged'])) == (0.0, 1.0)


def test_a_person_alone_has_no_sides():
    person = torch.zeros(1, 1, 1, 2, 4)
    person[..., 2:] = 1
    found = flip_agreement(person, person, PART_LAYOUTS['person'])
    assert float(found['exchanged']) == float(found['not_exchanged']) == 0.0
    found = flip_agreement(person, 1 - person, PART_LAYOUTS['person'])
    assert float(found['exchanged']) == pytest.approx(1.0)
