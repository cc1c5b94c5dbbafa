"""Skeleton layouts: joint names, left and right joints, and limbs."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class SkeletonLayout:
    """Joint order of one kind of skeleton.

    ``left`` and ``right`` are from the person's own point of view and pair up: ``left[i]`` is the
    mirror image of ``right[i]``. ``limbs`` are pairs of joint indices.
    """

    name: str
    names: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    left: tuple[int, ...] = field(init=False)
    right: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        # The pairs follow from the names, so that the two can never disagree.
        left = tuple(i for i, name in enumerate(self.names) if name.startswith('left_'))
        right = tuple(self.names.index('right_' + self.names[i][len('left_') :]) for i in left)
        object.__setattr__(self, 'left', left)
        object.__setattr__(self, 'right', right)

    @property
    def num_joints(self) -> int:
        """Number of joints V."""
        return len(self.names)

    @property
    def flip_indices(self) -> np.ndarray:
        """int64 [V]: ``pose[..., flip_indices, :]`` exchanges left and right joints."""
        order = np.arange(self.num_joints)
        order[list(self.left)] = self.right
        order[list(self.right)] = self.left
        return order

    def index(self, *names: str) -> list[int]:
        """Indices of the joints called ``names``.

        Raises:
            ValueError: if a name is not a joint of this layout.
        """
        unknown = [name for name in names if name not in self.names]
        if unknown:
            raise ValueError(
                f'layout {self.name} has no joint {unknown[0]!r}; '
                f'its joints are {", ".join(self.names)}'
            )
        return [self.names.index(name) for name in names]


def _layout(name: str, joints: str, limbs: str) -> SkeletonLayout:
    """Build a layout from joint names, and limbs written ``joint-joint``, separated by blanks."""
    names = tuple(joints.split())
    pairs = (limb.split('-') for limb in limbs.split())
    return SkeletonLayout(
        name, names, tuple((names.index(start), names.index(end)) for start, end in pairs)
    )


LAYOUTS: dict[str, SkeletonLayout] = {
    layout.name: layout
    for layout in (
        # COCO key points (Lin et al. 2014), the order of every common 2D pose network.
        _layout(
            'coco17',
            'nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow '
            'right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle '
            'right_ankle',
            'left_ankle-left_knee left_knee-left_hip right_ankle-right_knee right_knee-right_hip '
            'left_hip-right_hip left_shoulder-left_hip right_shoulder-right_hip '
            'left_shoulder-right_shoulder left_shoulder-left_elbow right_shoulder-right_elbow '
            'left_elbow-left_wrist right_elbow-right_wrist left_eye-right_eye nose-left_eye '
            'nose-right_eye left_eye-left_ear right_eye-right_ear left_ear-left_shoulder '
            'right_ear-right_shoulder',
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
            'spine_base-spine_mid spine_mid-spine_shoulder spine_shoulder-neck neck-head '
            'spine_shoulder-left_shoulder left_shoulder-left_elbow left_elbow-left_wrist '
            'left_wrist-left_hand left_hand-left_hand_tip left_wrist-left_thumb '
            'spine_shoulder-right_shoulder right_shoulder-right_elbow right_elbow-right_wrist '
            'right_wrist-right_hand right_hand-right_hand_tip right_wrist-right_thumb '
            'spine_base-left_hip left_hip-left_knee left_knee-left_ankle left_ankle-left_foot '
            'spine_base-right_hip right_hip-right_knee right_knee-right_ankle '
            'right_ankle-right_foot',
        ),
        # J-HMDB's puppet annotation (Jhuang et al. 2013).
        _layout(
            'jhmdb15',
            'neck belly face right_shoulder left_shoulder right_hip left_hip right_elbow '
            'left_elbow right_knee left_knee right_wrist left_wrist right_ankle left_ankle',
            'neck-belly neck-face neck-right_shoulder neck-left_shoulder belly-right_hip '
            'belly-left_hip right_shoulder-right_elbow left_shoulder-left_elbow '
            'right_hip-right_knee left_hip-left_knee right_elbow-right_wrist '
            'left_elbow-left_wrist right_knee-right_ankle left_knee-left_ankle',
        ),
    )
}
