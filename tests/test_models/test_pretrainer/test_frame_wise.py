"""2D students read the frames of a clip; teachers of whole clips read them together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads import PretextHead, Term
from mmact_ssl.models.pretrainer import MultiTaskPretrainer
from mmact_ssl.models.teachers.base import BaseTeacher


class Frames(nn.Module):
    """A 2D convolution, as mmaction2's 2D backbones: (N, 3, H, W) -> (N, 4, H', W')."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 2, stride=2)

    def forward(self, frames: Tensor) -> Tensor:
        assert frames.ndim == 4
        return self.convolution(frames)


class Reader(PretextHead):
    def __init__(self, **inputs: str) -> None:
        super().__init__(inputs)
        self.given: dict[str, Tensor] = {}

    def terms(self, **inputs: Tensor) -> dict[str, Term]:
        self.given = inputs
        return dict(loss=Term(inputs['pooled'].mean(1)))


class ClipTeacher(BaseTeacher):
    kind = 'embedding'
    window = (3, 1)

    def __init__(self) -> None:
        super().__init__({}, {})

    def forward(self, clips: Tensor) -> Tensor:
        assert clips.shape[1:3] == (3, 3), 'frames, then channels'
        return clips.float().mean((3, 4)).flatten(1)


def make(targets: tuple[str, ...], **changes) -> MultiTaskPretrainer:
    torch.manual_seed(0)
    more = changes.pop('inputs', {})
    inputs = dict(feature_map='clip.feature_map', pooled='clip.pooled', **more)
    return MultiTaskPretrainer(
        backbone=dict(type=Frames),
        heads=dict(reader=dict(type=Reader, **inputs)),
        data_preprocessor=dict(
            type='mmact_ssl.PretextDataPreprocessor',
            mean=[100.0] * 3,
            std=[50.0] * 3,
            views=('clip',),
            targets=targets,
        ),
        frame_wise=True,
        **changes,
    )


def data(num_valid: int) -> dict:
    generator = torch.Generator().manual_seed(1)
    clips = [
        torch.randint(256, (3, 3, 4, 4), generator=generator, dtype=torch.uint8) for _ in range(2)
    ]
    valid = [torch.arange(3) < num_valid for _ in range(2)]
    return dict(inputs=dict(clip=clips), targets=dict(clip=dict(valid=valid)), data_samples=None)


@pytest.mark.parametrize('num_valid', [1, 2, 3])
def test_frames_are_encoded_alone_and_put_together_again(num_valid):
    model = make(('clip.valid',))
    batch = model.data_preprocessor(data(num_valid))
    model(**batch, mode='loss')
    given = model.heads['reader'].given
    assert given['feature_map'].shape == (2, 4, 3, 2, 2)
    for b in range(2):
        maps = [model.backbone(batch['inputs']['clip'][b : b + 1, :, t]) for t in range(3)]
        mean = torch.stack([m[0] for m in maps[:num_valid]]).mean(0)
        for t in range(3):
            expected = maps[t][0] if t < num_valid else mean
            assert torch.allclose(given['feature_map'][b, :, t], expected, atol=1e-6)
        assert torch.allclose(given['pooled'][b], mean.mean((1, 2)), atol=1e-6)


def test_a_teacher_of_clips_gives_one_target_for_each():
    teachers = dict(action=dict(teacher=dict(type=ClipTeacher), views=('clip',)))
    model = make((), teachers=teachers, inputs=dict(action='targets.clip.action'))
    raw = data(3)
    model(inputs=model.data_preprocessor(raw)['inputs'], mode='loss')
    given = model.heads['reader'].given['action']
    assert given.shape == (2, 1, 9)
    frames = torch.stack(raw['inputs']['clip']).float()  # (B, C, T, H, W)
    assert torch.equal(given[:, 0], frames.transpose(1, 2).mean((3, 4)).flatten(1))


def teach(clips: list[list[int]], total: int, stride: int) -> None:
    """A step in which a teacher of clips of 3 frames gets two clips of these frames."""
    teachers = dict(action=dict(teacher=dict(type=ClipTeacher), views=('clip',)))
    model = make((), teachers=teachers, inputs=dict(action='targets.clip.action'))
    model.teachers['action'].window = (3, stride)
    samples = [
        ActionDataSample(metainfo=dict(frame_inds=dict(clip=np.array(inds)), total_frames=total))
        for inds in clips
    ]
    batch = model.data_preprocessor(dict(data(3), data_samples=samples))
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
    with pytest.raises(ConfigError) as caught:
        teach([right, clip], total, stride)
    message = str(caught.value)
    for said in (
        'model.teachers.action, ClipTeacher',
        f"stride {stride}, but the view 'clip' has stride {found}",
        f'num_frames=3, stride={stride} in SampleViews',
        f'window=(3, {found})',
    ):
        assert said in message
