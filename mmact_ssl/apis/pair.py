"""A published pair: a video model beside a skeleton model that reads the poses of the same frames.

The file of a pair holds no weights. Its card is the video model's, with the names and hashes of
both models, and the name and fingerprint of the teacher of poses, a config in
``configs/teachers/``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mmact_ssl.apis.card import FIX, Card, read_card
from mmact_ssl.apis.clips import skeleton_sample
from mmact_ssl.apis.model import PretrainedModel
from mmact_ssl.apis.windows import frames_of
from mmact_ssl.apis.zoo import find_model, find_published
from mmact_ssl.checkpoint_file import MODEL
from mmact_ssl.datasets.layouts import COMMON
from mmact_ssl.datasets.transforms.reading import read_frames
from mmact_ssl.errors import CheckpointError
from mmact_ssl.files import reading, sha256_of_file
from mmact_ssl.models.teachers import BaseTeacher, build_teacher
from mmact_ssl.models.teachers.choice import config_of
from mmact_ssl.preparation.poses import in_pixels
from mmact_ssl.saved_run import LabelsRead, SavedRun
from mmact_ssl.targets.values import spread

# The teacher sees one of so many frames of a window, and no more than so many.
EVERY, POSES = 4, 16


@dataclass
class Pair(PretrainedModel):
    """A pair in memory; a sample has the keys ``video`` and ``skeleton``.

    The networks of the base class are those of the video model.

    Attributes:
        video, skeleton: Both models.
        teacher: Finds one person's pose in each frame.
    """

    video: PretrainedModel
    skeleton: PretrainedModel
    teacher: BaseTeacher

    @cached_property
    def stages(self) -> tuple[Any, Any, Any]:
        """As for a video; a window's key ``pose_inds`` holds the frames for the teacher."""
        opened, choose, _ = self.video.stages
        return opened, lambda part: with_pose_frames(choose(part)), self._sample

    @cached_property
    def transform(self) -> Any:
        """Turns what a data set gives it, see PretrainedModel, into a sample of the whole video."""
        return self._read

    def to(self, device: str | torch.device) -> Pair:
        """Move the networks to a device."""
        for part in (self.video, self.skeleton, self.teacher):
            part.to(device)
        return self

    def features(self, samples: Sequence[dict[str, Any]]) -> Tensor:
        """Features ``(N, C)``: those of the video, then those of the poses, each of length 1.

        So a cosine is the mean of the cosines of both. A window in which the teacher sees nobody
        has zeros in place of the features of the poses.
        """
        videos = self.video.features([sample['video'] for sample in samples])
        poses = videos.new_zeros(len(videos), self.skeleton.card.feature_dim)
        seen = [row for row, sample in enumerate(samples) if sample['skeleton'] is not None]
        if seen:
            poses[seen] = self.skeleton.features([samples[row]['skeleton'] for row in seen])
        return torch.cat([functional.normalize(part, dim=1) for part in (videos, poses)], dim=1)

    def _read(self, results: dict[str, Any]) -> dict[str, Any]:
        open_clip, choose, finish = self.stages
        part = choose(open_clip(results))
        if 'array' not in part:
            part['array'] = read_frames(part, np.array(sorted(frames_of(part))))
        return finish(part)

    def _sample(self, part: dict[str, Any]) -> dict[str, Any]:
        """Samples of both models of the frames ``array`` of a window.

        That of the skeleton model is None if the teacher sees nobody.
        """
        frames = np.stack([part['array'][index] for index in part['pose_inds']])  # (T, H, W, 3)
        poses = self.teacher(torch.from_numpy(frames).movedim(-1, 1)).numpy()
        clip = in_pixels(poses, frames.shape[2], frames.shape[1])
        clip = clip[:, clip.any(axis=(0, 2, 3))]  # without frames that show nobody
        sample = skeleton_sample(clip, part.get('filename', ''), self.teacher.layout)
        skeleton = self.skeleton.transform(sample) if clip.size else None
        return dict(video=self.video.stages[2](part), skeleton=skeleton)


def with_pose_frames(part: dict[str, Any]) -> dict[str, Any]:
    """Add ``pose_inds``, frames that are spread evenly over a window, to its other frames."""
    total = part['total_frames']
    every = max(-(-(total - 1) // (POSES - 1)), EVERY)
    return {**part, 'pose_inds': (part['start_index'] + spread(total, every)).tolist()}


def load_pair(card: Card, sha256: str, path: str) -> Pair:
    """Load the parts of a pair, which lie beside its file or in a zoo, and build its teacher.

    Raises:
        CheckpointError: A part is missing or refused, or the parts do not fit each other.
        DataError: The file with the teacher's weights is missing.
    """
    video, skeleton = (_load_part(Path(path).parent, **part) for part in card.parts)
    teacher = build_teacher(config_of(card.pose_teacher))
    with reading(path, FIX, CheckpointError):
        _check_fit(card, video, skeleton, teacher)
    networks = video.backbone, video.preprocessor, video.pooling
    return Pair(*networks, card, sha256, path, video, skeleton, teacher)


def _load_part(folder: Path, name: str, sha256: str) -> PretrainedModel:
    from mmact_ssl.apis.load import load_file

    beside = folder / f'{name}-{sha256[:8]}{MODEL}'
    return load_file(beside if beside.is_file() else find_published(name), sha256)


def _check_fit(card: Card, video: Any, skeleton: Any, teacher: BaseTeacher) -> None:
    if isinstance(video, Pair) or (video.card.kind, skeleton.card.kind) != ('video', 'skeleton'):
        raise ValueError('its parts are not a video and a skeleton model')
    if skeleton.card.layout not in (teacher.layout, COMMON) or teacher.kind != 'pose':
        raise ValueError(f'{skeleton.card.name} does not read the poses of {card.pose_teacher}')
    if card.pose_fingerprint not in ('', teacher.fingerprint()):
        raise ValueError(f'it was published with other weights of {card.pose_teacher}')
    if card.feature_dim != video.card.feature_dim + skeleton.card.feature_dim:
        raise ValueError('its feature_dim is not the sum of those of its parts')


def pair_fields(video: str, skeleton: str, pose_teacher: str) -> dict[str, Any]:
    """Fields of a pair's card that are not its video model's.

    Args:
        video: Path of a published video model.
        skeleton: Name or path of a published skeleton model.
        pose_teacher: Name of the teacher of poses in ``configs/teachers/``.
    """
    cards, parts, labels = [], [], []
    for path in (video, find_model(skeleton)):
        cards.append(read_card(path))
        parts.append(dict(name=cards[-1].name, sha256=sha256_of_file(path)))
        labels.append(SavedRun.read(path).labels_read)
    of_video, of_skeleton = cards
    read = LabelsRead.join(labels)
    return dict(
        method=f'{of_video.method} beside {of_skeleton.method}',
        trained_on=f'{of_video.trained_on}; beside it {of_skeleton.trained_on}',
        licence=f'{of_video.licence}; {of_skeleton.name}: {of_skeleton.licence}',
        labels_read=asdict(read) if read else None,
        feature_dim=sum(card.feature_dim for card in cards),
        parts=parts,
        pose_teacher=pose_teacher,
        pose_fingerprint=build_teacher(config_of(pose_teacher)).fingerprint(),
        results=[],
    )
