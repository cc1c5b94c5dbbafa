"""ShuffleViewSegments: the order of frames and targets, and what would give it away."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.datasets.transforms.segments import ShuffleViewSegments, TransformSegments
from mmact_ssl.errors import ConfigError
from mmact_ssl.targets.meta import TargetMeta


def make(frames: int, padding: int, views=('clip', 'clip_b')) -> dict:
    inds = np.append(10 + 3 * np.arange(frames), np.full(padding, 99))
    valid = np.arange(frames + padding) < frames
    return dict(
        frame_inds={view: inds.copy() for view in views},
        targets={view: dict(valid=valid.copy()) for view in views},
    )


@settings(max_examples=60)
@given(length=st.integers(1, 6), segments=st.integers(2, 4), seed=st.integers(0, 999))
def test_segments_change_places(length, segments, seed):
    """Frame by frame, out of segments made as lists."""
    np.random.seed(seed)
    before = make(length * segments, 0)
    found = ShuffleViewSegments(('clip_b',), segments)(make(length * segments, 0))
    np.testing.assert_array_equal(found['frame_inds']['clip'], before['frame_inds']['clip'])
    assert 'permutation' not in found['targets']['clip']
    order, inds = found['targets']['clip_b']['permutation'], before['frame_inds']['clip_b'].tolist()
    pieces = [inds[s * length : (s + 1) * length] for s in range(segments)]
    expected = [frame for segment in order for frame in pieces[segment]]
    assert found['frame_inds']['clip_b'].tolist() == expected
    assert sorted(order) == list(range(segments)) and order.dtype == np.int64


def test_all_orders_come_alike_and_views_have_orders_of_their_own():
    np.random.seed(0)
    found = [ShuffleViewSegments(('clip', 'clip_b'))(make(6, 0))['targets'] for _ in range(1200)]
    orders = [tuple(tuple(t[view]['permutation']) for view in ('clip', 'clip_b')) for t in found]
    for counts in (Counter(values).values() for values in zip(*orders)):
        assert len(counts) == 6 and all(abs(count - 200) < 50 for count in counts)
    assert np.mean([one == other for one, other in orders]) == pytest.approx(1 / 6, abs=0.05)


@given(
    frames=st.integers(1, 5),
    padding=st.integers(1, 5),
    is_short=st.booleans(),
    seed=st.integers(0, 99),
)
def test_padding_and_repeated_frames_leave_no_order_to_recognize(frames, padding, is_short, seed):
    """Equal frames stay where they are: they would show which segments are neighbors."""
    np.random.seed(seed)
    segments = frames + padding
    sample = make(segments, 0) if is_short else make(frames, padding)
    if is_short:  # as a clip of segments of a short video
        sample['frame_inds']['clip'] = np.arange(segments) * frames // segments
    before = sample['frame_inds']['clip'].copy()
    found = ShuffleViewSegments(('clip',), segments)(sample)
    np.testing.assert_array_equal(found['frame_inds']['clip'], before)
    assert (found['targets']['clip']['permutation'] == -1).all()


def test_segments_are_transformed_apart_and_the_frames_of_one_alike():
    """A crop of frames that hold their own place tells where it was made."""
    places = np.stack([*np.meshgrid(range(64), range(64), indexing='ij'), np.zeros((64, 64))], -1)
    frames = [places.astype(np.uint8)] * 6
    crop = dict(type='mmaction.RandomCrop', size=8)
    cut = TransformSegments(('clip',), [crop], segments=3)
    drawn = []
    for seed in range(20):
        np.random.seed(seed)
        views = cut(dict(views=dict(clip=frames, other=frames)))['views']
        assert views['other'] is frames and len(views['clip']) == 6
        corners = [tuple(frame[0, 0, :2]) for frame in views['clip']]
        assert corners[::2] == corners[1::2]
        drawn.append(corners[::2])
    assert sum(len(set(corners)) == 3 for corners in drawn) > 15
    meta, targets = dict(pose=TargetMeta('pose', 'coco17', '')), dict(clip=dict(pose=None))
    with pytest.raises(ConfigError, match="poses or part maps of the view 'clip' would not follow"):
        cut(dict(views=dict(clip=frames), targets=targets, target_meta=meta))
    with pytest.raises(ConfigError, match='a flip would mirror some segments'):
        TransformSegments(('clip',), [dict(type='HorizontalFlip')])


@pytest.mark.parametrize(
    ('view', 'sample', 'error', 'message'),
    [
        # The frame before those that are left over would show which segment was last.
        ('clip', make(8, 0), ConfigError, '8 frames, which do not make 3 equal segments'),
        ('future', make(6, 0), KeyError, "view 'future' is not among"),
        # What is read already would keep the old order, beside a label of the new one.
        ('clip', {**make(6, 0), 'views': {}}, ConfigError, 'before both'),
        ('clip', {**make(6, 0), 'target_meta': {'pose': None}}, ConfigError, 'before both'),
    ],
)
def test_wrong_uses_are_named(view, sample, error, message):
    with pytest.raises(error, match=message):
        ShuffleViewSegments((view,), 3)(sample)
