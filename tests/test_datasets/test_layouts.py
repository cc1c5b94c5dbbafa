"""Skeleton layouts."""

from __future__ import annotations

import numpy as np
import pytest

from mmact_ssl.datasets.layouts import LAYOUTS

NUM_JOINTS = {'coco17': 17, 'kinect20': 20, 'ntu25': 25, 'jhmdb15': 15}


@pytest.mark.parametrize('name', NUM_JOINTS)
def test_layout_is_a_tree_over_all_joints(name):
    layout = LAYOUTS[name]
    assert layout.name == name
    assert layout.num_joints == NUM_JOINTS[name] == len(set(layout.names))
    reached = {layout.limbs[0][0]}
    for _ in layout.limbs:
        reached |= {j for limb in layout.limbs if reached & set(limb) for j in limb}
    assert reached == set(range(layout.num_joints))


@pytest.mark.parametrize('name', NUM_JOINTS)
def test_left_and_right_pair_up(name):
    layout = LAYOUTS[name]
    for left, right in zip(layout.left, layout.right):
        assert layout.names[right] == layout.names[left].replace('left', 'right')
    assert not any(
        'left' in layout.names[i] or 'right' in layout.names[i]
        for i in range(layout.num_joints)
        if i not in layout.left + layout.right
    )


@pytest.mark.parametrize('name', NUM_JOINTS)
def test_flip_twice_is_the_identity_and_keeps_limbs(name):
    layout = LAYOUTS[name]
    flip = layout.flip_indices
    assert (flip[flip] == np.arange(layout.num_joints)).all()
    limbs = {frozenset(limb) for limb in layout.limbs}
    assert {frozenset(flip[list(limb)].tolist()) for limb in layout.limbs} == limbs


def test_index_names_the_unknown_joint():
    assert LAYOUTS['coco17'].index('left_hip', 'nose') == [11, 0]
    with pytest.raises(ValueError, match="kinect20 has no joint 'nose'"):
        LAYOUTS['kinect20'].index('nose')
