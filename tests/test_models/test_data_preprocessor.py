"""From lists of decoded samples to batches: normalized frames, padded clips, nested targets."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.errors import DataError
from mmact_ssl.models.data_preprocessor import PretextDataPreprocessor, SkeletonDataPreprocessor

IMAGENET = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])


def videos() -> dict:
    generator = torch.Generator().manual_seed(0)
    clips = list(torch.randint(256, (2, 3, 2, 4, 5), generator=generator, dtype=torch.uint8))
    poses = list(torch.rand(2, 2, 6, 3, generator=generator))
    valid = [torch.tensor([True, False]), torch.tensor([True, True])]
    return dict(
        inputs=dict(clip=clips, clip_b=clips),
        targets=dict(
            clip=dict(pose=poses, valid=valid),
            sample=dict(label=[torch.tensor(1), torch.tensor(-1)]),
        ),
        data_samples=['a', 'b'],
    )


def skeletons(lengths, persons=2) -> list[torch.Tensor]:
    """One float32 (M, T, 5, 3) for each length."""
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(persons, length, 5, 3, generator=generator) + 1 for length in lengths]


def test_frames_are_normalized_by_channel_and_targets_stacked():
    targets = ('clip.pose', 'clip.valid', 'sample.label')
    preprocessor = PretextDataPreprocessor(**IMAGENET, views=('clip',), targets=targets)
    data = videos()
    out = preprocessor(data)
    assert set(out) == {'inputs', 'targets', 'data_samples'}
    assert set(out['inputs']) == {'clip'} and preprocessor.made_targets == targets
    assert out['inputs']['clip'].shape == (2, 3, 2, 4, 5)
    for b in range(2):
        for c in range(3):
            gray = data['inputs']['clip'][b][c].float()
            expected = (gray - IMAGENET['mean'][c]) / IMAGENET['std'][c]
            torch.testing.assert_close(out['inputs']['clip'][b, c], expected)
    assert torch.equal(out['targets']['clip']['pose'], torch.stack(data['targets']['clip']['pose']))
    assert out['targets']['clip']['valid'].dtype == torch.bool
    assert out['targets']['sample']['label'].tolist() == [1, -1]
    assert out['data_samples'] == ['a', 'b']


def test_what_the_loader_has_stacked_gives_the_same_batch():
    def stacked(named):
        if isinstance(named, dict):
            return {name: stacked(value) for name, value in named.items()}
        return torch.stack(named)

    data = videos()
    ready = {**data, **{key: stacked(data[key]) for key in ('inputs', 'targets')}}
    targets = ('clip.pose', 'clip.valid', 'sample.label')
    preprocessor = PretextDataPreprocessor(**IMAGENET, views=('clip', 'clip_b'), targets=targets)
    found, expected = preprocessor(ready), preprocessor(data)
    for key in ('inputs', 'targets'):
        torch.testing.assert_close(found[key], expected[key], rtol=0, atol=0)

    clips = skeletons([4, 4, 4])
    data = dict(inputs=dict(clip=clips), targets={}, data_samples=list('abc'))
    ready = {**data, 'inputs': dict(clip=torch.stack(clips))}
    preprocessor = SkeletonDataPreprocessor(views=('clip',))
    found, expected = preprocessor(ready), preprocessor(data)
    assert torch.equal(found['inputs']['clip'], expected['inputs']['clip'])
    assert torch.equal(found['targets']['clip']['valid'], expected['targets']['clip']['valid'])


def test_denormalize_gives_back_every_gray_value_to_the_bit():
    preprocessor = PretextDataPreprocessor(**IMAGENET, views=('clip',))
    gray = torch.arange(256, dtype=torch.uint8).view(1, 1, 1, 16, 16).expand(1, 3, -1, -1, -1)
    normal = preprocessor.normalize(gray)
    assert torch.equal(preprocessor.denormalize(normal), gray.float())
    # Generated frames may leave the range.
    assert float(preprocessor.denormalize(normal * 100).max()) == 255
    assert float(preprocessor.denormalize(normal * 100 - 1000).min()) == 0


@settings(max_examples=30)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    persons=st.integers(1, 3),
    data=st.data(),
)
def test_skeletons_are_padded_and_know_what_is_real(lengths, persons, data):
    batch = skeletons(lengths, persons)
    absent = data.draw(st.lists(st.integers(0, persons - 1), max_size=persons))
    for clip in batch[1:]:
        clip[absent] = 0
    preprocessor = SkeletonDataPreprocessor(views=('clip',))
    assert preprocessor.made_targets == ('clip.valid',)
    out = preprocessor(dict(inputs=dict(clip=batch), data_samples=['a']))
    padded, valid = out['inputs']['clip'], out['targets']['clip']['valid']
    longest = max(lengths)
    assert padded.shape == (len(lengths), persons, longest, 5, 3)
    assert padded.dtype == torch.float32 and padded.is_contiguous()
    assert valid.dtype == torch.bool and valid.shape == (len(lengths), persons, longest)
    for b, (clip, length) in enumerate(zip(batch, lengths)):
        assert torch.equal(padded[b, :, :length], clip)
        assert not padded[b, :, length:].any()
        for m in range(persons):
            there = bool(clip[m].any()) or (m == 0 and not clip.any())
            for t in range(longest):
                assert bool(valid[b, m, t]) == (t < length and there)


def test_with_a_mask_of_joints_comes_where_their_motion_is_known():
    preprocessor = SkeletonDataPreprocessor(('clip', 'seen'), ['seen.mask', 'seen.other'])
    assert preprocessor.targets == ('seen.mask', 'seen.other', 'seen.known')
    assert SkeletonDataPreprocessor(('seen',), preprocessor.targets).targets == preprocessor.targets
    marks = torch.arange(4).view(2, 1, 2, 1, 1) < 2
    data = dict(
        inputs={view: skeletons([6, 6]) for view in ('clip', 'seen')},
        targets=dict(seen={name: [*marks] for name in ('mask', 'other', 'known')}),
    )
    assert torch.equal(preprocessor(data)['targets']['seen']['known'], marks)


@pytest.mark.parametrize(
    ('views', 'targets', 'missing'),
    [
        (('future',), (), 'future'),
        (('clip',), ('clip.parts',), 'clip.parts'),
        (('clip',), ('future.pose',), 'future.pose'),
    ],
)
def test_what_is_missing_is_named(views, targets, missing):
    for preprocessor in (
        PretextDataPreprocessor(**IMAGENET, views=views, targets=targets),
        SkeletonDataPreprocessor(views, targets),
    ):
        kind = 'targets' if '.' in missing else 'views'
        message = (
            rf"no '{missing}' among its {kind} \[.*'clip.*PackInputs.*data_preprocessor.{kind}"
        )
        with pytest.raises(DataError, match=message):
            preprocessor(videos())
        assert not preprocessor.state_dict(), 'it adds nothing to a checkpoint'
