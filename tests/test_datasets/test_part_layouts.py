"""Part layouts."""

from __future__ import annotations

import numpy as np
import pytest

from mmact_ssl.datasets.layouts import PART_LAYOUTS, PartLayout
from mmact_ssl.demo_world.render import LIP_LABELS

NUM_PARTS = {'person': 1, 'demo_parts': 10, 'lip': 20, 'atr': 18, 'pascal_person': 7}


@pytest.mark.parametrize('name', PART_LAYOUTS)
def test_parts_are_distinct_and_pair_up(name):
    layout = PART_LAYOUTS[name]
    assert layout.name == name
    assert layout.num_parts == NUM_PARTS[name] == len(set(layout.names))
    flip = layout.flip_indices
    assert (flip[flip] == np.arange(layout.num_parts)).all()
    for part, other in zip(layout.names, np.array(layout.names)[flip]):
        mirrored = part.replace('left_', 'R_').replace('right_', 'L_')
        assert mirrored.replace('R_', 'right_').replace('L_', 'left_') == other


def test_the_demo_world_paints_its_layout_in_lip_labels():
    assert PART_LAYOUTS['demo_parts'].names == tuple(LIP_LABELS)
    assert [PART_LAYOUTS['lip'].names[label] for label in LIP_LABELS.values()] == list(LIP_LABELS)


def test_index_and_pairs_name_what_is_missing():
    assert PART_LAYOUTS['lip'].index('left_arm', 'hat') == [14, 1]
    with pytest.raises(ValueError, match="person has no part 'hat'"):
        PART_LAYOUTS['person'].index('hat')
    with pytest.raises(ValueError, match=r"part layout x lacks \['right_leg'\]"):
        PartLayout('x', ('left_leg', 'right_arm', 'left_arm'))
