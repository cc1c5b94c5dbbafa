"""From lists of clips of many lengths to padded batches that know what is real."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.models.data_preprocessors import SkeletonDataPreprocessor


def clips(lengths, persons=2, seed=0):
    """One float32 [M, T, 5, 3] for each length."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(persons, length, 5, 3, generator=generator) + 1 for length in lengths]


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    persons=st.integers(1, 3),
    multiple=st.integers(1, 4),
    data=st.data(),
)
def test_padding_and_validity(lengths, persons, multiple, data):
    batch = clips(lengths, persons)
    absent = data.draw(st.lists(st.integers(0, persons - 1), max_size=persons))
    for clip in batch[1:]:
        clip[absent] = 0
    preprocessor = SkeletonDataPreprocessor(views=('clip',), frames_multiple=multiple)
    out = preprocessor(dict(inputs=dict(clip=batch), data_samples=['a']))
    padded, valid = out['inputs']['clip'], out['inputs']['clip_valid']
    longest = next(t for t in range(max(lengths), 100) if t % multiple == 0)
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


def test_a_masked_view_keeps_its_length():
    masked = clips([6])[0]
    masked[:, 4:] = 0
    out = SkeletonDataPreprocessor(views=('clip', 'masked'))(
        dict(inputs=dict(clip=clips([6, 9]), masked=[masked, clips([9])[0]]))
    )
    assert torch.equal(out['inputs']['masked_valid'], out['inputs']['clip_valid'])
    assert out['inputs']['masked_valid'][0].sum() == 2 * 6


def test_targets_and_samples():
    preprocessor = SkeletonDataPreprocessor(views=('clip',), targets=('label', 'clip_permutation'))
    out = preprocessor(
        dict(
            inputs=dict(clip=clips([3, 4]), other=clips([5, 5])),
            targets=dict(
                label=[torch.tensor(1), torch.tensor(-1)],
                clip_permutation=[torch.tensor(5), torch.tensor(0)],
            ),
            data_samples=['a', 'b'],
        )
    )
    assert set(out['inputs']) == {'clip', 'clip_valid'}
    assert out['targets']['label'].tolist() == [1, -1]
    assert out['targets']['clip_permutation'].dtype == torch.int64
    assert out['data_samples'] == ['a', 'b']


def test_what_is_wrong_is_named():
    batch = dict(inputs=dict(clip=clips([2, 3])), targets={})
    with pytest.raises(DataError, match=r"inputs\['masked'\].*\['clip'\].*PackSkeletonInputs"):
        SkeletonDataPreprocessor(views=('masked',))(batch)
    with pytest.raises(DataError, match=r"targets\['label'\]"):
        SkeletonDataPreprocessor(views=('clip',), targets=('label',))(batch)
    mixed = dict(inputs=dict(clip=clips([2]) + clips([2], persons=1)))
    with pytest.raises(DataError, match=r"view 'clip' differ .*\(1, 5, 3\), \(2, 5, 3\)"):
        SkeletonDataPreprocessor(views=('clip',))(mixed)
    with pytest.raises(ConfigError, match='frames_multiple is 0'):
        SkeletonDataPreprocessor(views=('clip',), frames_multiple=0)


def test_it_adds_nothing_to_a_checkpoint():
    assert not SkeletonDataPreprocessor(views=('clip',)).state_dict()
