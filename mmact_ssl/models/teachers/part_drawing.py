"""Part maps drawn from poses: limbs, torso and head of one person."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import torch
from torch import Tensor

from mmact_ssl.datasets.layouts import LAYOUTS, PART_LAYOUTS
from mmact_ssl.io.files import sha256_of

PARTS = 'pose_parts'
SIDES = ('left', 'right')
# First and last joint of each limb, and its extension beyond the last one, to the hand or the heel.
LIMBS = {
    'upper_arm': ('shoulder', 'elbow', 0.0),
    'lower_arm': ('elbow', 'wrist', 0.4),
    'upper_leg': ('hip', 'knee', 0.0),
    'lower_leg': ('knee', 'ankle', 0.15),
}
FACE = ('left_ear', 'right_ear', 'nose', 'left_eye', 'right_eye', 'head', 'face')
# In heights of the body. Radii are our choice: they overlap best with person masks on JHMDB.
# Lengths are Drillis and Contini's, from Winter, Biomechanics and Motor Control of Human Movement.
RADII = {
    'head': 0.065,
    'neck': 0.035,
    'torso': 0.05,
    'upper_arm': 0.033,
    'lower_arm': 0.028,
    'upper_leg': 0.05,
    'lower_leg': 0.038,
}
LENGTHS = {
    'shoulders': 0.259,
    'trunk': 0.288,
    'upper_arm': 0.186,
    'lower_arm': 0.146,
    'upper_leg': 0.245,
    'lower_leg': 0.246,
}
# A Kinect's shoulders are narrower and its hips higher; measured on UTD-MHAD's skeletons.
KINECT = {**LENGTHS, 'shoulders': 0.193, 'trunk': 0.227}
LENGTHS_OF = {'kinect20': KINECT, 'ntu25': KINECT}
# From front to back; thin parts come first, since they would vanish behind thick ones.
ORDER = ('lower_arm', 'upper_arm', 'head', 'lower_leg', 'upper_leg', 'torso')
# A joint of N frames: where it is (N, 2), in heights of the frame; its score (N, 1), 0: unknown.
Joint = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class PartDrawing:
    """Function that draws the parts of layout ``pose_parts`` from the joints of one person.

    Limbs are segments with a radius, the torso is the convex hull of shoulders and hips, widened by
    a radius, and the head is a disc with a neck. Radii are fractions of the body's height. The
    height is estimated from the width of the shoulders and the length of the torso; the larger
    estimate is used, because one of two perpendicular lengths always appears at more than 0.7 of
    its length. Without both it is estimated from the longest limb. A part is drawn only if all its
    joints are known; the torso needs one shoulder and one hip, the head one joint of the face.

    Joints do not tell which part hides another: ``ORDER`` decides. Left and right parts of a kind
    share the pixels of both by their scores. Edges are soft. All of this is our choice.

    Args:
        map_size: (h, w) of the maps, which cover the frame.
        min_score: Joints with a lower score are unknown.
        softness: Width of an edge, in heights of the body, where a part's probability falls from 1
            to 0; at least a pixel of the map.
    """

    map_size: tuple[int, int]
    min_score: float = 0.2
    softness: float = 0.02

    def fingerprint(self, of_poses: str) -> str:
        """Hash (sha256, hex) of all settings of the drawing and of the poses' fingerprint."""
        text = json.dumps([of_poses, asdict(self), LIMBS, FACE, RADII, LENGTHS, LENGTHS_OF, ORDER])
        return sha256_of(text)

    def __call__(self, poses: Tensor, layout: str, aspect: float) -> Tensor:
        """Draw part maps.

        Args:
            poses: ``(N, V, 3)``: x, y as fractions of the frame, score 0..1.
            layout: Order of the V joints, a name in LAYOUTS.
            aspect: Width of the frame divided by its height.

        Returns:
            float32 ``(N, C, h, w)``, background first; at each pixel they sum to 1.
        """
        points, score = poses.float().split([2, 1], dim=-1)
        points = points * points.new_tensor([aspect, 1])
        score = score * (score >= self.min_score)
        joint = {name: (points[:, i], score[:, i]) for i, name in enumerate(LAYOUTS[layout].names)}
        height = _body_height(joint, LENGTHS_OF.get(layout, LENGTHS))
        y, x = ((torch.arange(n, device=poses.device) + 0.5) / n for n in self.map_size)
        grid = torch.cartesian_prod(y, x * aspect).flip(1)  # (P, 2): x, y
        rows, columns = self.map_size
        edge = (self.softness * height).clamp(min=(1 / rows + aspect / columns) / 2)

        def cover(kind: str, distance: Tensor, score: Tensor) -> Tensor:
            """Fraction of each pixel that a shape covers, ``(N, P)``, 0..1."""
            inside = 0.5 + (RADII[kind] * height - distance) / edge
            return inside.clamp(0, 1) * (score * height > 0)

        shapes: dict[str, tuple[Tensor, Tensor]] = {}  # part: (cover, score of its joints)
        for kind, (first, last, reach) in LIMBS.items():
            for side in SIDES:
                start, stop, score = _pair(joint, f'{side}_{first}', f'{side}_{last}')
                distance = _to_segment(grid, start, stop + reach * (stop - start))
                shapes[f'{side}_{kind}'] = cover(kind, distance, score), score
        center, score = _head(joint)
        below, known = _mean([joint['left_shoulder'], joint['right_shoulder']])
        neck = cover('neck', _to_segment(grid, center, below), score * known)
        disc = cover('head', _to_segment(grid, center, center), score)
        shapes['head'] = torch.maximum(disc, neck), score
        distance, score = _to_torso(grid, joint)
        shapes['torso'] = cover('torso', distance, score), score

        rest = torch.ones_like(distance)  # share of each pixel that no part in front covers
        maps = {}
        for kind in ORDER:
            parts = [name for name in shapes if name.endswith(kind)]
            covered = torch.stack([shapes[name][0] for name in parts]).amax(0)
            weights = {name: shapes[name][0] * shapes[name][1] for name in parts}
            total = torch.stack([*weights.values()]).sum(0).clamp(min=1e-12)
            maps.update({name: rest * covered * weights[name] / total for name in parts})
            rest = rest * (1 - covered)
        maps['background'] = rest
        channels = torch.stack([maps[name] for name in PART_LAYOUTS[PARTS].names], dim=1)
        return channels.unflatten(2, self.map_size)


def _pair(joint: Mapping[str, Joint], first: str, last: str) -> tuple[Tensor, Tensor, Tensor]:
    """Two joints' places and the lower of their scores."""
    return joint[first][0], joint[last][0], torch.minimum(joint[first][1], joint[last][1])


def _mean(joints: Sequence[Joint]) -> Joint:
    """Mean place and score of the known joints; score 0 if none is known."""
    points, scores = (torch.stack(values) for values in zip(*joints))  # (J, N, 2), (J, N, 1)
    number = (scores > 0).sum(0).clamp(min=1)
    return (points * (scores > 0)).sum(0) / number, scores.sum(0) / number


def _head(joint: Mapping[str, Joint]) -> Joint:
    """Place of the head: the middle of both ears, or the mean of the face's known joints."""
    point, score = _mean([joint[name] for name in FACE if name in joint])
    if 'left_ear' in joint:  # in profile the other joints are not in the middle of the head
        left, right, both = _pair(joint, 'left_ear', 'right_ear')
        point = torch.where(both > 0, (left + right) / 2, point)
    return point, score


def _body_height(joint: Mapping[str, Joint], lengths: Mapping[str, float]) -> Tensor:
    """Height of the body ``(N, 1)``, 0 if it is unknown; see PartDrawing."""

    def tallest(segments: Sequence[tuple[str, str, str]]) -> Tensor:
        heights = []
        for kind, first, last in segments:
            start, stop, known = _pair(joint, first, last)
            heights.append((stop - start).norm(dim=1, keepdim=True) / lengths[kind] * (known > 0))
        return torch.stack(heights).amax(0)

    sides = [('trunk', f'{side}_shoulder', f'{side}_hip') for side in SIDES]
    by_trunk = tallest([('shoulders', 'left_shoulder', 'right_shoulder'), *sides])
    limbs = [(kind, *ends[:2], side) for kind, ends in LIMBS.items() for side in SIDES]
    by_limbs = tallest([(kind, f'{side}_{a}', f'{side}_{b}') for kind, a, b, side in limbs])
    return torch.where(by_trunk > 0, by_trunk, by_limbs)


def _to_segment(grid: Tensor, start: Tensor, stop: Tensor) -> Tensor:
    """Distance ``(N, P)`` of each pixel ``(P, 2)`` to segments with ends ``(N, 2)``."""
    along = (stop - start)[:, None]  # (N, 1, 2)
    offset = grid - start[:, None]  # (N, P, 2)
    share = (offset * along).sum(2) / (along**2).sum(2).clamp(min=1e-12)
    return (offset - share.clamp(0, 1)[..., None] * along).norm(dim=2)


def _to_torso(grid: Tensor, joint: Mapping[str, Joint]) -> Joint:
    """Distance ``(N, P)`` to the convex hull of known shoulders and hips, and their mean score.

    The score is 0 without a known shoulder or hip. The hull of four points is the union of their
    triangles. The distance to it is that to the nearest segment between two of the points.
    """
    corners = [[joint[f'{side}_{name}'] for side in SIDES] for name in ('shoulder', 'hip')]
    # An unknown corner gets the place of the other side's corner.
    points = [torch.where(own[1] > 0, own[0], _mean(pair)[0]) for pair in corners for own in pair]
    distance = torch.stack([_to_segment(grid, *ends) for ends in combinations(points, 2)]).amin(0)
    for triangle in combinations(points, 3):
        turns = torch.zeros_like(distance)  # number of edges with the pixel left minus right
        for start, stop in zip(triangle, (*triangle[1:], triangle[0])):
            (x, y), offset = (stop - start)[:, None].unbind(2), grid - start[:, None]
            turns += (x * offset[..., 1] - y * offset[..., 0]).sign()
        distance = distance * (turns.abs() < 3)
    shoulders, hips = (_mean(pair)[1] for pair in corners)
    return distance, (shoulders + hips) / 2 * (shoulders * hips > 0)
