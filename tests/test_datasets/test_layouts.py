"""Layouts of skeletons and part maps."""

from __future__ import annotations

import numpy as np
import pytest

import mmact_ssl  # noqa: F401  the fixes come before any model is imported
from mmact_ssl.datasets.layouts import LAYOUTS, PART_LAYOUTS
from tools.demo_world.render import LIP_LABELS

from mmaction.datasets.transforms import JointToBone  # isort: skip


@pytest.mark.parametrize('layouts', [LAYOUTS, PART_LAYOUTS])
def test_names_are_distinct_and_a_flip_exchanges_left_and_right(layouts):
    for name, layout in layouts.items():
        size = len(set(layout.names))
        assert layout.name == name and len(layout.names) == size
        assert layouts is PART_LAYOUTS or name.endswith(str(size))
        flip = layout.flip_indices
        assert flip.dtype == np.int64 and (flip[flip] == np.arange(size)).all()
        for place, other in zip(layout.names, np.array(layout.names)[flip]):
            mirrored = place.replace('left_', 'R_').replace('right_', 'L_')
            assert mirrored.replace('R_', 'right_').replace('L_', 'left_') == other


@pytest.mark.parametrize('layout', LAYOUTS.values(), ids=str)
def test_limbs_and_edges_reach_all_joints_and_mirror_each_other(layout):
    flip = layout.flip_indices
    for pairs in (layout.limbs, layout.edges):
        reached = {pairs[0][0]}
        for _ in pairs:
            reached |= {joint for pair in pairs if reached & set(pair) for joint in pair}
        assert reached == set(range(layout.num_joints))
        mirrored = {frozenset(flip[list(pair)].tolist()) for pair in pairs}
        assert mirrored == {frozenset(pair) for pair in pairs}


@pytest.mark.parametrize('layout', LAYOUTS.values(), ids=lambda layout: layout.name)
def test_parents_lead_to_one_root(layout):
    parents = np.array(layout.parents)
    assert (parents == np.arange(layout.num_joints)).sum() == 1
    joints = np.arange(layout.num_joints)
    for _ in joints:
        joints = parents[joints]
    assert len(set(joints)) == 1
    # The tree is its own mirror image: flipping and making bones may change places.
    flip = layout.flip_indices
    np.testing.assert_array_equal(parents[flip], flip[parents])


@pytest.mark.parametrize(('layout', 'name'), [('ntu25', 'nturgb+d'), ('coco17', 'coco')])
def test_bones_are_those_of_mmaction2(layout, name):
    assert dict(JointToBone(name).pairs) == dict(enumerate(LAYOUTS[layout].parents))


def test_the_demo_world_paints_its_layout_in_lip_labels():
    assert PART_LAYOUTS['demo_parts'].names == tuple(LIP_LABELS)
    assert [PART_LAYOUTS['lip'].names[label] for label in LIP_LABELS.values()] == list(LIP_LABELS)
