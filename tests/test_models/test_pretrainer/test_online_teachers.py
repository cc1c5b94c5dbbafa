"""Teachers of frames and of clips beside a student of frames: what they read, and when they run."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.pretrainer import MultiTaskPretrainer
from mmact_ssl.models.teachers.base import BaseTeacher
from tests.helpers.heads import keep, make_pretrainer


class BrightnessTeacher(BaseTeacher):
    """Each frame's mean colors; its network is hidden, as a teacher's must be."""

    def __init__(self) -> None:
        super().__init__({}, {})
        # In a tuple, for an attribute would be a submodule.
        self._network = (
            self.freeze_external(nn.Sequential(nn.Flatten(1), nn.BatchNorm1d(3 * 4 * 4))),
        )
        self.seen: list[Tensor] = []

    def forward(self, frames: Tensor) -> Tensor:
        self.seen.append(frames)
        return super().forward(frames)

    def predict(self, frames: Tensor) -> Tensor:
        assert not self._network[0].training
        self._network[0](frames.float())
        return frames.float().mean((2, 3))


class ClipTeacher(BaseTeacher):
    kind = 'embedding'
    window = (3, 1)

    def __init__(self) -> None:
        super().__init__({}, {})

    def forward(self, clips: Tensor) -> Tensor:
        assert clips.shape[1:3] == (3, 3), 'frames, then channels'
        return clips.float().mean((3, 4)).flatten(1)


def make(kind: type, num_readers: int = 1) -> MultiTaskPretrainer:
    """A teacher of the target ``aim`` of two views, beside a 2D student."""
    torch.manual_seed(0)
    heads = dict(other=keep(map='clip.feature_map', pooled='clip.pooled'))
    if num_readers:
        heads['reader'] = keep(pooled='clip.pooled', aim='targets.clip.aim')
    return make_pretrainer(
        heads,
        ('clip', 'future'),
        backbone=dict(type=nn.Conv2d, in_channels=3, out_channels=4, kernel_size=2, stride=2),
        teachers=dict(aim=dict(teacher=dict(type=kind), views=('clip', 'future'))),
        frame_wise=True,
        data_preprocessor=dict(
            type='mmact_ssl.PretextDataPreprocessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            views=('clip', 'future'),
        ),
    ).train()


def make_data() -> dict:
    frames = torch.randint(256, (2, 3, 3, 4, 4), dtype=torch.uint8)
    return dict(inputs=dict(clip=list(frames), future=list(frames)), data_samples=None)


def test_a_2d_student_encodes_frame_by_frame():
    model = make(ClipTeacher, num_readers=0)
    batch = model.data_preprocessor(make_data())
    model(**batch, mode='loss')
    given = model.heads['other'].given
    maps = [model.backbone(batch['inputs']['clip'][:, :, t]) for t in range(3)]
    torch.testing.assert_close(given['map'], torch.stack(maps, 2))
    torch.testing.assert_close(given['pooled'], torch.stack(maps, 2).mean((2, 3, 4)))


def test_a_teacher_reads_the_decoded_frames_to_the_bit():
    model, data = make(BrightnessTeacher), make_data()
    model(**model.data_preprocessor(data), mode='loss')['loss'].backward()
    decoded = torch.stack(data['inputs']['clip'])  # (B, 3, T, H, W)
    (seen,) = model.teachers['aim'].seen  # nobody reads that of the other view
    assert torch.equal(seen, decoded.transpose(1, 2).flatten(0, 1).float())
    target = model.heads['reader'].given['aim']
    assert torch.equal(target, decoded.float().mean((3, 4)).transpose(1, 2))
    assert not target.requires_grad
    names = [*model.state_dict(), *dict(model.named_parameters())]
    assert names and not any('teacher' in name for name in names)
    model = make(BrightnessTeacher, num_readers=0)
    model(**model.data_preprocessor(data), mode='loss')
    assert not model.teachers['aim'].seen


def test_a_teacher_of_clips_gives_one_target_for_each():
    model, data = make(ClipTeacher), make_data()
    model(**model.data_preprocessor(data), mode='loss')
    target = model.heads['reader'].given['aim']
    frames = torch.stack(data['inputs']['clip']).float()
    assert torch.equal(target, frames.transpose(1, 2).mean((3, 4)).flatten(1)[:, None])


def teach(clips: list[list[int]], total: int, stride: int) -> None:
    """A step in which a teacher of clips of 3 frames gets two clips of these frames."""
    model = make(ClipTeacher)
    model.teachers['aim'].window = (3, stride)
    samples = [
        ActionDataSample(metainfo=dict(frame_inds=dict(clip=np.array(inds)), total_frames=total))
        for inds in clips
    ]
    batch = model.data_preprocessor(dict(make_data(), data_samples=samples))
    model(**batch, mode='loss')


@pytest.mark.parametrize(
    ('one', 'other', 'total'),
    [
        ([0, 4, 8], [3, 7, 11], 20),
        ([0, 4, 8], [8, 8, 8], 9),  # frames that a short video repeats do not count
        ([0, 4, 4], [0, 4, 4], 5),
        ([0, 3, 3], [0, 3, 3], 4),
        ([2, 6, 9], [2, 6, 9], 10),
        ([1, 1, 1], [1, 1, 1], 2),
    ],
)
def test_clips_at_the_teachers_stride_are_taught(one, other, total):
    teach([one, other], total, stride=4)


@pytest.mark.parametrize(
    ('clip', 'total', 'stride', 'found'),
    [([0, 2, 4], 20, 4, 2), ([0, 8, 16], 20, 4, 8), ([0, 2, 3], 4, 4, 2), ([0, 4, 4], 5, 1, 4)],
)
def test_a_clip_of_another_stride_is_refused(clip, total, stride, found):
    right = [min(stride * t, total - 1) for t in range(3)]
    message = (
        rf"model.teachers.aim, ClipTeacher.*stride {stride}, but the view 'clip' has stride {found}"
        rf'.*num_frames=3, stride={stride} in SampleViews.*window=\(3, {found}\)'
    )
    with pytest.raises(ConfigError, match=message):
        teach([right, clip], total, stride)
