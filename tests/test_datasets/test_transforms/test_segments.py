"""ShuffleViewSegments: the order of frames, of what fills a clip up, and of targets."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.datasets.transforms.segments import ShuffleViewSegments, shuffle_segments
from mmact_ssl.errors import ConfigError


def make(frames: int, padding: int, views=('clip', 'clip_b')) -> dict:
    inds = np.append(10 + 3 * np.arange(frames), np.full(padding, 99))
    valid = np.arange(frames + padding) < frames
    return dict(
        frame_inds={view: inds.copy() for view in views},
        targets={view: dict(valid=valid.copy()) for view in views},
    )


@settings(max_examples=60, deadline=None)
@given(
    frames=st.integers(1, 20),
    padding=st.integers(0, 3),
    segments=st.integers(2, 4),
    seed=st.integers(0, 999),
)
def test_segments_change_places_and_what_is_left_over_stays(frames, padding, segments, seed):
    """Frame by frame, out of segments made as lists."""
    np.random.seed(seed)
    before = make(frames, padding)
    found = ShuffleViewSegments(('clip_b',), segments)(make(frames, padding))
    np.testing.assert_array_equal(found['frame_inds']['clip'], before['frame_inds']['clip'])
    assert 'permutation' not in found['targets']['clip']
    targets, inds = found['targets']['clip_b'], before['frame_inds']['clip_b'].tolist()
    np.testing.assert_array_equal(targets['valid'], before['targets']['clip_b']['valid'])
    length = frames // segments
    pieces = [inds[s * length : (s + 1) * length] for s in range(segments)]
    order = list(permutations(range(segments)))[targets['permutation']]
    expected = [frame for segment in order for frame in pieces[segment]]
    expected += inds[length * segments :]
    assert found['frame_inds']['clip_b'].tolist() == expected
    assert targets['permutation'].dtype == np.int64


def test_all_orders_come_alike_and_views_have_orders_of_their_own():
    np.random.seed(0)
    found = [ShuffleViewSegments(('clip', 'clip_b'))(make(7, 0))['targets'] for _ in range(1200)]
    orders = [tuple(int(t[view]['permutation']) for view in ('clip', 'clip_b')) for t in found]
    for counts in (np.bincount(values) for values in zip(*orders)):
        assert len(counts) == 6 and abs(counts - 200).max() < 50
    assert np.mean([one == other for one, other in orders]) == pytest.approx(1 / 6, abs=0.05)


def test_fewer_frames_than_segments_do_not_move():
    for seed in range(10):
        np.random.seed(seed)
        places, permutation = shuffle_segments(2, 3)
        assert places.tolist() == [0, 1] and permutation == 0


def test_a_view_that_is_not_there_is_said():
    with pytest.raises(KeyError, match="view 'future' is not among"):
        ShuffleViewSegments(('future',))(make(4, 0))


@pytest.mark.parametrize('read', [dict(views={}), dict(target_meta=dict(pose=None))])
def test_frames_or_targets_that_are_read_already_are_an_error(read):
    """They would keep the old order, beside a label of the new one."""
    with pytest.raises(ConfigError, match='put ShuffleViewSegments before both'):
        ShuffleViewSegments()({**make(6, 0), **read})


def test_frames_and_targets_follow(tmp_path, make_video):
    """Poses of the cache and decoded frames are those of the shuffled places."""
    from mmact_ssl.datasets.transforms.views import DecodeViews, SampleViews
    from mmact_ssl.targets.cache import TargetMeta, TargetWriter
    from mmact_ssl.targets.load_targets import LoadTargets

    make_video(tmp_path / 'a.mp4', num_frames=40)
    poses = np.zeros((40, 17, 3), np.float32)
    poses[:, 0, 0] = np.arange(40) / 100
    meta = TargetMeta('pose', 'coco17', 'made', 'made')
    with TargetWriter(tmp_path / 'targets/pose.lmdb', meta) as writer:
        writer.put('a.mp4', poses)
    load = LoadTargets().bind(tmp_path, str(tmp_path))
    clip = dict(num_frames=6, stride=4)
    ends = {}
    for name, steps in dict(whole=[], shuffled=[ShuffleViewSegments(segments=3)]).items():
        results = dict(filename=str(tmp_path / 'a.mp4'))
        np.random.seed(5)
        for step in [SampleViews(clip=clip), *steps, load, DecodeViews(None)]:
            results = step(results)
        ends[name] = results
    order = list(permutations(range(3)))[ends['shuffled']['targets']['clip']['permutation']]
    places = [2 * segment + i for segment in order for i in range(2)]
    assert places != sorted(places)
    whole, shuffled = (ends[name] for name in ('whole', 'shuffled'))
    np.testing.assert_array_equal(
        shuffled['targets']['clip']['pose'], whole['targets']['clip']['pose'][places]
    )
    for frame, place in zip(shuffled['views']['clip'], places):
        np.testing.assert_array_equal(frame, whole['views']['clip'][place])
