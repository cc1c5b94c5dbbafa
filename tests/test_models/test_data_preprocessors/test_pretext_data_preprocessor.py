"""From lists of decoded frames to normalized batches, and back to the bit."""

from __future__ import annotations

import pytest
import torch

from mmact_ssl.errors import DataError
from mmact_ssl.models.data_preprocessors import PretextDataPreprocessor

IMAGENET = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])


def batch() -> dict:
    generator = torch.Generator().manual_seed(0)
    clips = [
        torch.randint(256, (3, 2, 4, 5), generator=generator, dtype=torch.uint8) for _ in range(2)
    ]
    poses = [torch.rand(2, 6, 3, generator=generator) for _ in range(2)]
    valid = [torch.tensor([True, False]), torch.tensor([True, True])]
    return dict(
        inputs=dict(clip=clips, clip_b=clips),
        targets=dict(clip_pose=poses, clip_valid=valid),
        data_samples=['a', 'b'],
    )


def test_stacks_and_normalizes_each_channel():
    preprocessor = PretextDataPreprocessor(
        **IMAGENET, views=('clip',), targets=('clip_pose', 'clip_valid')
    )
    data = batch()
    out = preprocessor(data)
    assert set(out) == {'inputs', 'targets', 'data_samples'}
    assert set(out['inputs']) == {'clip'}
    assert out['inputs']['clip'].shape == (2, 3, 2, 4, 5)
    for b in range(2):
        for c in range(3):
            gray = data['inputs']['clip'][b][c].float()
            expected = (gray - IMAGENET['mean'][c]) / IMAGENET['std'][c]
            torch.testing.assert_close(out['inputs']['clip'][b, c], expected)
    assert torch.equal(out['targets']['clip_pose'], torch.stack(data['targets']['clip_pose']))
    assert out['targets']['clip_valid'].dtype == torch.bool
    assert out['data_samples'] == ['a', 'b']


@pytest.mark.parametrize(
    ('mean', 'std'),
    [
        (IMAGENET['mean'], IMAGENET['std']),
        ([0.0, 0.0, 0.0], [255.0, 255.0, 255.0]),
        ([127.5, 127.5, 127.5], [127.5, 127.5, 127.5]),
        ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0]),
        ([110.2008, 100.63983, 95.99475], [58.14765, 56.46975, 55.332]),
    ],
)
def test_denormalize_gives_back_every_gray_value_to_the_bit(mean, std):
    preprocessor = PretextDataPreprocessor(mean, std, views=('clip',))
    gray = torch.arange(256, dtype=torch.uint8).view(1, 1, 1, 16, 16).expand(1, 3, -1, -1, -1)
    normal = preprocessor.normalize(gray)
    assert torch.equal(preprocessor.denormalize(normal), gray.float())
    # Generated frames may leave the range.
    assert float(preprocessor.denormalize(normal * 100).max()) == 255
    assert float(preprocessor.denormalize(normal * 100 - 1000).min()) == 0


def test_what_is_missing_is_named():
    preprocessor = PretextDataPreprocessor(**IMAGENET, views=('clip', 'future'))
    with pytest.raises(DataError, match=r"inputs\['future'\].*\['clip', 'clip_b'\]"):
        preprocessor(batch())
    preprocessor = PretextDataPreprocessor(**IMAGENET, views=('clip',), targets=('future_pose',))
    with pytest.raises(DataError, match=r"targets\['future_pose'\].*PackPretextInputs"):
        preprocessor(batch())


def test_it_adds_nothing_to_a_checkpoint():
    assert not PretextDataPreprocessor(**IMAGENET, views=('clip',)).state_dict()
