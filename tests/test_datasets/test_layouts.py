"""Layouts of skeletons and part maps."""

from __future__ import annotations

import numpy as np
import pytest

from mmact_ssl.datasets.layouts import LAYOUTS, PART_LAYOUTS
from mmact_ssl.demo_world.render import LIP_LABELS

NUM_JOINTS = {'coco17': 17, 'kinect20': 20, 'ntu25': 25, 'jhmdb15': 15}
NUM_PARTS = {
    'person': 1,
    'demo_parts': 10,
    'lip': 20,
    'atr': 18,
    'pascal_person': 7,
    'pose_parts': 11,
}


@pytest.mark.parametrize(('layouts', 'sizes'), [(LAYOUTS, NUM_JOINTS), (PART_LAYOUTS, NUM_PARTS)])
def test_names_are_distinct_and_a_flip_exchanges_left_and_right(layouts, sizes):
    assert {name: len(layout.flip_indices) for name, layout in layouts.items()} == sizes
    for name, layout in layouts.items():
        assert layout.name == name and len(set(layout.names)) == sizes[name]
        flip = layout.flip_indices
        assert flip.dtype == np.int64 and (flip[flip] == np.arange(sizes[name])).all()
        for place, other in zip(layout.names, np.array(layout.names)[flip]):
            mirrored = place.replace('left_', 'R_').replace('right_', 'L_')
            assert mirrored.replace('R_', 'right_').replace('L_', 'left_') == other


@pytest.mark.parametrize('layout', LAYOUTS.values(), ids=str)
def test_limbs_are_a_symmetric_tree_over_all_joints(layout):
    reached = {layout.limbs[0][0]}
    for _ in layout.limbs:
        reached |= {j for limb in layout.limbs if reached & set(limb) for j in limb}
    assert reached == set(range(layout.num_joints))
    limbs = {frozenset(limb) for limb in layout.limbs}
    flip = layout.flip_indices
    assert {frozenset(flip[list(limb)].tolist()) for limb in layout.limbs} == limbs
    for joint, other in enumerate(flip.tolist()):
        name, sides = layout.names[joint], {'left': 'right', 'right': 'left'}
        side, _, rest = name.partition('_')
        assert layout.names[other] == (f'{sides[side]}_{rest}' if side in sides else name)


def test_the_demo_world_paints_its_layout_in_lip_labels():
    assert PART_LAYOUTS['demo_parts'].names == tuple(LIP_LABELS)
    assert [PART_LAYOUTS['lip'].names[label] for label in LIP_LABELS.values()] == list(LIP_LABELS)
