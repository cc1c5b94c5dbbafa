"""Layouts of skeletons and part maps: names, and the pairs that a flip exchanges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class _Layout:
    """Names of joints or parts in a fixed order.

    Names that begin with ``left_`` and ``right_`` pair up. Left and right are the person's own.
    """

    name: str
    names: tuple[str, ...]

    @cached_property
    def flip_indices(self) -> np.ndarray:
        """int64 (len(names),), read-only: the order with left and right exchanged."""
        order = np.array([self.names.index(_mirrored(name)) for name in self.names], np.int64)
        order.setflags(write=False)  # all callers share it
        return order

    def index(self, *names: str) -> list[int]:
        """Indices of ``names``; ValueError if the layout lacks one."""
        return [self.names.index(name) for name in names]


@dataclass(frozen=True)
class SkeletonLayout(_Layout):
    """Joint order of one kind of skeleton; ``pose[..., flip_indices, :]`` exchanges its sides.

    Attributes:
        limbs: Pairs of joint indices, the lines of a drawing.
        edges: Pairs of joint indices that graph networks connect; mmaction2's ``Graph`` where it
            has the layout.
        parents: The joint at which the bone of each joint begins; the root's is itself. mmaction2's
            ``JointToBone`` where it has the layout.
    """

    limbs: tuple[tuple[int, int], ...]
    edges: tuple[tuple[int, int], ...]
    parents: tuple[int, ...]

    @property
    def num_joints(self) -> int:
        """Number of joints V."""
        return len(self.names)


@dataclass(frozen=True)
class PartLayout(_Layout):
    """Channels of part maps (C, h, w); ``maps[..., flip_indices, :, :]`` exchanges their sides."""


def _mirrored(name: str) -> str:
    side, _, rest = name.partition('_')
    other = {'left': 'right', 'right': 'left'}.get(side)
    return f'{other}_{rest}' if other and rest else name


def _layout(name: str, joints: str, edges: str, bones: str = '', limbs: str = '') -> SkeletonLayout:
    """Build a layout from joint names and pairs ``parent-joint``, separated by blanks.

    Args:
        edges: Edges of the graph; each is a bone too.
        bones: Bones that are not edges.
        limbs: Lines of a drawing, in either direction; the edges by default.
    """
    names = tuple(joints.split())

    def pairs(text: str) -> tuple[tuple[int, int], ...]:
        split = (pair.split('-') for pair in text.split())
        return tuple((names.index(start), names.index(end)) for start, end in split)

    parents = list(range(len(names)))
    for parent, joint in (*pairs(edges), *pairs(bones)):
        parents[joint] = parent
    return SkeletonLayout(name, names, pairs(limbs or edges), pairs(edges), tuple(parents))


COMMON = 'common15'  # ToCommonJoints converts every layout to it

LAYOUTS: dict[str, SkeletonLayout] = {
    layout.name: layout
    for layout in (
        # COCO key points (Lin et al. 2014), the order of every common 2D pose network.
        _layout(
            'coco17',
            'nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow '
            'right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle '
            'right_ankle',
            'nose-left_eye left_eye-left_ear nose-right_eye right_eye-right_ear '
            'nose-left_shoulder left_shoulder-left_elbow left_elbow-left_wrist '
            'nose-right_shoulder right_shoulder-right_elbow right_elbow-right_wrist '
            'left_shoulder-left_hip left_hip-left_knee left_knee-left_ankle '
            'right_shoulder-right_hip right_hip-right_knee right_knee-right_ankle',
            bones='nose-left_hip nose-right_hip',
            limbs='left_ankle-left_knee left_knee-left_hip right_ankle-right_knee '
            'right_knee-right_hip left_hip-right_hip left_shoulder-left_hip '
            'right_shoulder-right_hip left_shoulder-right_shoulder left_shoulder-left_elbow '
            'right_shoulder-right_elbow left_elbow-left_wrist right_elbow-right_wrist '
            'left_eye-right_eye nose-left_eye nose-right_eye left_eye-left_ear right_eye-right_ear '
            'left_ear-left_shoulder right_ear-right_shoulder',
        ),
        # Human3.6M's 17 joints (Ionescu et al. 2014), in the order of VideoPose3D and mmpose.
        _layout(
            'h36m17',
            'mid_hip right_hip right_knee right_ankle left_hip left_knee left_ankle spine thorax '
            'neck head left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist',
            'mid_hip-right_hip right_hip-right_knee right_knee-right_ankle mid_hip-left_hip '
            'left_hip-left_knee left_knee-left_ankle mid_hip-spine spine-thorax thorax-neck '
            'neck-head thorax-left_shoulder left_shoulder-left_elbow left_elbow-left_wrist '
            'thorax-right_shoulder right_shoulder-right_elbow right_elbow-right_wrist',
        ),
        # Kinect v1: NW-UCLA, MSR Action3D, UTKinect and (reordered) UTD-MHAD.
        _layout(
            'kinect20',
            'hip_center spine shoulder_center head left_shoulder left_elbow left_wrist left_hand '
            'right_shoulder right_elbow right_wrist right_hand left_hip left_knee left_ankle '
            'left_foot right_hip right_knee right_ankle right_foot',
            'hip_center-spine spine-shoulder_center shoulder_center-head '
            'shoulder_center-left_shoulder left_shoulder-left_elbow left_elbow-left_wrist '
            'left_wrist-left_hand shoulder_center-right_shoulder right_shoulder-right_elbow '
            'right_elbow-right_wrist right_wrist-right_hand hip_center-left_hip left_hip-left_knee '
            'left_knee-left_ankle left_ankle-left_foot hip_center-right_hip right_hip-right_knee '
            'right_knee-right_ankle right_ankle-right_foot',
        ),
        # Kinect v2: NTU RGB+D (Shahroudy et al. 2016) and PKU-MMD, counted from 0.
        _layout(
            'ntu25',
            'spine_base spine_mid neck head left_shoulder left_elbow left_wrist left_hand '
            'right_shoulder right_elbow right_wrist right_hand left_hip left_knee left_ankle '
            'left_foot right_hip right_knee right_ankle right_foot spine_shoulder left_hand_tip '
            'left_thumb right_hand_tip right_thumb',
            'spine_shoulder-spine_mid spine_mid-spine_base spine_shoulder-neck neck-head '
            'spine_shoulder-left_shoulder left_shoulder-left_elbow left_elbow-left_wrist '
            'left_wrist-left_hand left_hand-left_hand_tip left_hand-left_thumb '
            'spine_shoulder-right_shoulder right_shoulder-right_elbow right_elbow-right_wrist '
            'right_wrist-right_hand right_hand-right_hand_tip right_hand-right_thumb '
            'spine_base-left_hip left_hip-left_knee left_knee-left_ankle left_ankle-left_foot '
            'spine_base-right_hip right_hip-right_knee right_knee-right_ankle '
            'right_ankle-right_foot',
            bones='left_thumb-left_hand_tip right_thumb-right_hand_tip',
        ),
        # J-HMDB's puppet annotation (Jhuang et al. 2013).
        _layout(
            'jhmdb15',
            'neck belly face right_shoulder left_shoulder right_hip left_hip right_elbow '
            'left_elbow right_knee left_knee right_wrist left_wrist right_ankle left_ankle',
            'belly-neck neck-face neck-right_shoulder neck-left_shoulder belly-right_hip '
            'belly-left_hip right_shoulder-right_elbow left_shoulder-left_elbow '
            'right_hip-right_knee left_hip-left_knee right_elbow-right_wrist '
            'left_elbow-left_wrist right_knee-right_ankle left_knee-left_ankle',
        ),
        # OpenPose's BODY_25 (Cao et al. 2019).
        _layout(
            'openpose25',
            'nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist '
            'mid_hip right_hip right_knee right_ankle left_hip left_knee left_ankle right_eye '
            'left_eye right_ear left_ear left_big_toe left_small_toe left_heel right_big_toe '
            'right_small_toe right_heel',
            'mid_hip-neck neck-nose nose-left_eye left_eye-left_ear nose-right_eye '
            'right_eye-right_ear neck-left_shoulder left_shoulder-left_elbow left_elbow-left_wrist '
            'neck-right_shoulder right_shoulder-right_elbow right_elbow-right_wrist '
            'mid_hip-left_hip left_hip-left_knee left_knee-left_ankle left_ankle-left_big_toe '
            'left_big_toe-left_small_toe left_ankle-left_heel mid_hip-right_hip '
            'right_hip-right_knee right_knee-right_ankle right_ankle-right_big_toe '
            'right_big_toe-right_small_toe right_ankle-right_heel',
        ),
        # MediaPipe's BlazePose (Bazarevsky et al. 2020).
        _layout(
            'mediapipe33',
            'nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer '
            'left_ear right_ear left_mouth right_mouth left_shoulder right_shoulder left_elbow '
            'right_elbow left_wrist right_wrist left_pinky right_pinky left_index right_index '
            'left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle right_ankle '
            'left_heel right_heel left_foot_index right_foot_index',
            'nose-left_eye_inner left_eye_inner-left_eye left_eye-left_eye_outer '
            'left_eye_outer-left_ear nose-left_mouth nose-left_shoulder left_shoulder-left_elbow '
            'left_elbow-left_wrist left_wrist-left_pinky left_wrist-left_index '
            'left_wrist-left_thumb left_shoulder-left_hip left_hip-left_knee left_knee-left_ankle '
            'left_ankle-left_heel left_heel-left_foot_index nose-right_eye_inner '
            'right_eye_inner-right_eye right_eye-right_eye_outer right_eye_outer-right_ear '
            'nose-right_mouth nose-right_shoulder right_shoulder-right_elbow '
            'right_elbow-right_wrist right_wrist-right_pinky right_wrist-right_index '
            'right_wrist-right_thumb right_shoulder-right_hip right_hip-right_knee '
            'right_knee-right_ankle right_ankle-right_heel right_heel-right_foot_index',
        ),
        # The joints that all layouts have, for models of several data sets.
        _layout(
            COMMON,
            'mid_hip neck head left_shoulder left_elbow left_wrist right_shoulder right_elbow '
            'right_wrist left_hip left_knee left_ankle right_hip right_knee right_ankle',
            'mid_hip-neck neck-head neck-left_shoulder left_shoulder-left_elbow '
            'left_elbow-left_wrist neck-right_shoulder right_shoulder-right_elbow '
            'right_elbow-right_wrist mid_hip-left_hip left_hip-left_knee left_knee-left_ankle '
            'mid_hip-right_hip right_hip-right_knee right_knee-right_ankle',
        ),
    )
}


def layout_of(shape: Sequence[int]) -> str:
    """Name of the only layout with as many joints as key points ``(..., V, C)``.

    Raises:
        ValueError: No layout has so many joints, or several have.
    """
    joints = shape[-2] if len(shape) > 1 else 0
    found = [name for name, layout in LAYOUTS.items() if layout.num_joints == joints]
    if len(found) > 1:
        raise ValueError(
            f'{joints} joints are those of several layouts: give layout= (--layout), one of '
            f'{", ".join(found)}'
        )
    if not found:
        known = ', '.join(f'{name} has {layout.num_joints}' for name, layout in LAYOUTS.items())
        raise ValueError(
            f'{joints} joints, a number of no layout ({known}): add its layout to '
            'mmact_ssl/datasets/layouts.py'
        )
    return found[0]


PART_LAYOUTS: dict[str, PartLayout] = {
    name: PartLayout(name, tuple(parts.split()))
    for name, parts in {
        # A silhouette: the probability that a pixel shows a person.
        'person': 'person',
        # The demo world's parts, in the order of its `LIP_LABELS`.
        'demo_parts': 'background hair upper_clothes face left_arm right_arm left_leg right_leg '
        'left_shoe right_shoe',
        # Look into Person (Gong et al. 2017).
        'lip': 'background hat hair glove sunglasses upper_clothes dress coat socks pants '
        'jumpsuits scarf skirt face left_arm right_arm left_leg right_leg left_shoe right_shoe',
        # Parts drawn from poses, see part_drawing.py; the lower arms include the hands.
        'pose_parts': 'background head torso left_upper_arm right_upper_arm left_lower_arm '
        'right_lower_arm left_upper_leg right_upper_leg left_lower_leg right_lower_leg',
    }.items()
}
