"""SampleViews, DecodeViews and TransformViews."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.transforms import views as views_module
from mmact_ssl.datasets.transforms.views import DecodeViews, SampleViews, TransformViews
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import ConfigError
from mmact_ssl.targets.cache import TargetMeta
from tests.helpers.videos import index_of

CLIP = {'num_frames': 4, 'stride': 3}
SEGMENTS = {'num_frames': 8, 'segments': True}
POSES = TargetMeta('pose', 'coco17', 'f')
FUTURE = {'num_frames': 3, 'stride': 2}
CROP = {'type': 'mmaction.RandomResizedCrop', 'area_range': (0.2, 0.6)}
FLIP = {'type': 'HorizontalFlip', 'layout': 'coco17'}


@pytest.fixture(scope='module')
def video(tmp_path_factory, make_video):
    return str(make_video(tmp_path_factory.mktemp('views') / 'video.mp4', num_frames=40))


class FramesOnly:
    """A video of so many frames, its file name here; each is a key frame."""

    def __init__(self, total_frames):
        self.total_frames = total_frames
        self.seconds = np.arange(total_frames) / 30

    def keyframes_near(self, center, slots):
        return np.array([center])

    def close(self):
        pass


def draw(transform, total):
    """Results for a video of so many frames, without a file."""
    with mock.patch.object(views_module, 'VideoReader', FramesOnly):
        return transform.transform({'filename': total})


def speeds(results):
    targets = results['targets'].items()
    return {view: named['speed'] for view, named in targets if 'speed' in named}


def valid(results, view):
    return results['targets'][view]['valid'].tolist()


def test_the_other_clip_has_a_start_of_its_own():
    transform = SampleViews(clip=CLIP, clip_b={'num_frames': 3, 'stride': 5})
    starts = set()
    for seed in range(400):
        np.random.seed(seed)
        inds = draw(transform, 40)['frame_inds']
        np.testing.assert_array_equal(inds['clip'], np.add(inds['clip'][0], [0, 3, 6, 9]))
        np.testing.assert_array_equal(inds['clip_b'], np.add(inds['clip_b'][0], [0, 5, 10]))
        starts.add((int(inds['clip'][0]), int(inds['clip_b'][0])))
    firsts, others = zip(*starts)
    assert (min(firsts), max(firsts)) == (0, 30) and (min(others), max(others)) == (0, 29)
    assert len(starts) > 250, 'drawn apart'
    fixed = draw(SampleViews(CLIP, clip_b={'num_frames': 3, 'stride': 5}, test_mode=True), 40)
    assert (fixed['frame_inds']['clip'][0], fixed['frame_inds']['clip_b'][0]) == (0, 29)


@pytest.mark.parametrize('differ', [False, True])
def test_the_strides_are_drawn_and_told(differ):
    clip = {'num_frames': 4, 'stride': [1, 2, 4]}
    views = dict(clip=clip, clip_b=clip, future={'num_frames': 2, 'stride': 3}, differ=differ)
    seen = set()
    for seed in range(200):
        np.random.seed(seed)
        results = draw(SampleViews(**views), 40)
        speed, inds = speeds(results), results['frame_inds']
        assert set(speed) == {'clip', 'clip_b'}, 'the stride of the future is never another'
        for view, stride in speed.items():
            assert set(np.diff(inds[view])) == {stride}
        assert inds['future'][0] == inds['clip'][-1] + speed['clip']
        assert np.diff(inds['future']) == [3]
        seen.add((speed['clip'], speed['clip_b']))
    pairs = {(one, two) for one in (1, 2, 4) for two in (1, 2, 4)}
    assert seen == {pair for pair in pairs if not differ or len(set(pair)) == 2}
    fixed = draw(SampleViews(**views, test_mode=True), 40)
    assert speeds(fixed) == {'clip': 1, 'clip_b': 2 if differ else 1}


def test_future_goes_on_where_the_clip_ends():
    transform = SampleViews(clip=CLIP, future=FUTURE)
    starts = set()
    for seed in range(200):
        np.random.seed(seed)
        results = draw(transform, 40)
        start = results['frame_inds']['clip'][0]
        starts.add(int(start))
        np.testing.assert_array_equal(results['frame_inds']['clip'], np.add(start, [0, 3, 6, 9]))
        np.testing.assert_array_equal(results['frame_inds']['future'], np.add(start, [12, 14, 16]))
        assert all(named['valid'].all() for named in results['targets'].values())
        assert results['total_frames'] == 40
    assert starts == set(range(40 - 16))


def test_a_short_video_is_padded_and_says_so(tmp_path, make_video):
    path = str(make_video(tmp_path / 'short.mp4', num_frames=14))
    views = SampleViews(clip=CLIP, future=FUTURE, keyframes={'num_frames': 3})
    results = views({'filename': path})
    assert results['frame_inds']['clip'].tolist() == [0, 3, 6, 9]
    assert results['frame_inds']['future'].tolist() == [12, 13, 13]
    assert all(valid(results, 'clip'))
    assert valid(results, 'future') == [True, False, False]
    assert results['frame_inds']['keyframes'].tolist() == [0, 12, 12]
    assert valid(results, 'keyframes') == [True, True, False]
    one = str(make_video(tmp_path / 'one.mp4', num_frames=14, gop=30))
    results = SampleViews(clip=CLIP, keyframes={'num_frames': 3})({'filename': one})
    assert results['frame_inds']['keyframes'].tolist() == [0, 0, 0]
    assert valid(results, 'keyframes') == [True, False, False]


@pytest.mark.parametrize(
    ('views', 'message'),
    [
        (dict(clip=dict(SEGMENTS, strides=2)), r'clip\.strides .*num_frames, stride, segments'),
        (dict(clip=CLIP, clip_b=dict(CLIP, segment=True)), r'clip_b\.segment is'),
        (dict(clip=CLIP, future=SEGMENTS), r'future\.segments is'),
        (dict(clip=CLIP, keyframes=CLIP), r'keyframes\.stride is not a setting, use num_frames$'),
        (dict(clip=CLIP, clip_b=dict(SEGMENTS, stride=2)), 'set clip_b.stride=None'),
        (dict(clip=SEGMENTS, future=dict(num_frames=1, stride=None)), 'set future.stride$'),
        (dict(clip=CLIP, clip_b=CLIP, differ=True), 'differ needs a second stride in clip_b'),
    ],
)
def test_settings_that_nothing_reads_are_refused(views, message):
    with pytest.raises(ConfigError, match=message):
        SampleViews(**views)


def test_none_takes_a_setting_out():
    """As where a config inherits one with a stride."""
    views = SampleViews(
        clip=dict(SEGMENTS, stride=None), clip_b=dict(CLIP, segments=None), differ=True
    )
    assert views.clips == dict(clip=SEGMENTS, clip_b=CLIP)


@pytest.mark.parametrize('total', [40, 5])
def test_key_frames_are_around_the_middle_of_the_clip_that_is_there(total):
    results = draw(SampleViews(CLIP, keyframes={'num_frames': 1}), total)
    there = results['frame_inds']['clip'][results['targets']['clip']['valid']]
    assert results['frame_inds']['keyframes'] == [(there[0] + there[-1]) // 2]


DRAWN = {'num_frames': 8, 'stride': (4, 1, 2)}
OPTIONS = {
    'clip': dict(clip=DRAWN),
    'two clips': dict(clip=DRAWN, clip_b=DRAWN),
    'two speeds': dict(clip=DRAWN, clip_b=DRAWN, differ=True),
    'future': dict(clip=DRAWN, future={'num_frames': 4}),
    'segments': dict(clip=SEGMENTS),
    'two of segments': dict(clip=SEGMENTS, clip_b=SEGMENTS),
    'segments, future': dict(clip=SEGMENTS, future={'num_frames': 4, 'stride': 2}),
}


@pytest.mark.parametrize('name', OPTIONS)
@settings(max_examples=60)
@given(total=st.integers(2, 300), seed=st.integers(0, 2**32 - 1), test_mode=st.booleans())
def test_frames_rise_inside_the_video_and_only_padding_is_not_valid(name, total, seed, test_mode):
    np.random.seed(seed)
    results = draw(SampleViews(**OPTIONS[name], test_mode=test_mode), total)
    inds = results['frame_inds']
    for view, frames in inds.items():
        is_valid = results['targets'][view]['valid']
        assert frames.min() >= 0 and frames.max() < total and len(is_valid) == len(frames)
        assert (np.diff(frames) >= 0).all()
        assert (frames[~is_valid] == total - 1).all()
        if 'segments' not in name:
            steps = np.diff(frames[is_valid])
            assert (steps == results['targets'].get(view, {}).get('speed', steps)).all()
    assert results['targets']['clip']['valid'][0]
    if 'segments' in name:
        assert results['targets']['clip']['valid'].all()
        if total >= 28:
            assert (np.diff(inds['clip']) > 0).all()
    if 'future' in inds and results['targets']['future']['valid'].any():
        assert inds['future'][0] > inds['clip'][-1]
    if name == 'two speeds':
        assert len(set(speeds(results).values())) == 2


@pytest.mark.parametrize('name', OPTIONS)
@pytest.mark.parametrize('total', [15, 20, 29, 31, 40])
def test_no_frame_of_a_short_video_is_starved(name, total):
    """JHMDB's videos have 15 to 40 frames."""
    np.random.seed(total)
    transform = SampleViews(**OPTIONS[name])
    counts = np.zeros(total)
    clips = set()
    for _ in range(1500):
        results = draw(transform, total)
        for view, frames in results['frame_inds'].items():
            assert results['targets'][view]['valid'].all()
            counts[frames] += 1
        clips.add(tuple(results['frame_inds']['clip']))
    assert counts.min() > 0 and len(clips) > 3
    if name == 'segments':
        # A part has its frames alike, and parts differ by one frame.
        assert counts.max() / counts.min() < 1.3 * np.ceil(total / 8) / (total // 8)


@settings(max_examples=60)
@given(total=st.integers(2, 80), seed=st.integers(0, 2**32 - 1))
def test_a_stride_is_drawn_among_those_that_fit(total, seed):
    np.random.seed(seed)
    speed = speeds(draw(SampleViews(clip=DRAWN, future={'num_frames': 4}), total))['clip']
    assert speed == 1 or 12 * speed <= total, 'clip and future, and no frame left out'
    fixed = draw(SampleViews(clip=DRAWN, future={'num_frames': 4}, test_mode=True), total)
    fitting = [stride for stride in (4, 1, 2) if 12 * stride <= total]
    assert speeds(fixed)['clip'] == (fitting or [1])[0]
    # A single stride is kept, whatever the video.
    kept = draw(SampleViews(clip={'num_frames': 8, 'stride': 4}), total)['frame_inds']['clip']
    assert (kept == np.minimum(kept[0] + 4 * np.arange(8), total - 1)).all()


def test_a_second_speed_is_another_one_even_where_it_does_not_fit():
    transform = SampleViews(**OPTIONS['two speeds'])
    results = draw(transform, 10)
    assert speeds(results) == {'clip': 1, 'clip_b': 2}
    assert valid(results, 'clip') == [True] * 8
    assert valid(results, 'clip_b') == [True] * 5 + [False] * 3


def test_segments_are_tsns():
    """The mean of many draws is the middle of each part, which testing takes."""
    transform = SampleViews(clip=SEGMENTS, clip_b=SEGMENTS)
    drawn = [draw(transform, 80)['frame_inds'] for _ in range(2000)]
    for view in ('clip', 'clip_b'):
        mean = np.mean([inds[view] for inds in drawn], axis=0)
        np.testing.assert_allclose(mean, 10 * np.arange(8) + 4.5, atol=0.4)
    one, two = (np.array([inds[view] for inds in drawn]) for view in ('clip', 'clip_b'))
    assert abs((one == two).mean() - 0.1) < 0.02, 'drawn apart'
    middle = draw(SampleViews(clip=SEGMENTS, test_mode=True), 80)['frame_inds']['clip']
    assert middle.tolist() == [4, 14, 24, 34, 44, 54, 64, 74]
    both = draw(SampleViews(clip=SEGMENTS, clip_b=SEGMENTS, test_mode=True), 80)['frame_inds']
    assert (both['clip'][0], both['clip_b'][-1]) == (0, 79)
    few = draw(SampleViews(clip=SEGMENTS), 4)
    assert few['frame_inds']['clip'].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_segments_before_a_future_leave_it_room():
    transform = SampleViews(**OPTIONS['segments, future'])
    starts = set()
    for _ in range(500):
        results = draw(transform, 40)
        inds = results['frame_inds']
        start = int(inds['future'][0])
        assert (np.diff(inds['future']) == 2).all() and results['targets']['future']['valid'].all()
        edges = np.arange(9) * start // 8
        assert ((edges[:-1] <= inds['clip']) & (inds['clip'] < edges[1:])).all()
        starts.add(start)
    assert starts == set(range(17, 34))
    for _ in range(10):  # where the future does not fit, all frames but the first are its own
        assert draw(transform, 3)['frame_inds']['future'].tolist() == [1, 2, 2, 2]


def test_the_chosen_frames_are_decoded_and_poses_become_pixels(video):
    np.random.seed(0)
    results = SampleViews(clip=CLIP, future=FUTURE, keyframes={'num_frames': 2}).transform(
        {'filename': video}
    )
    pose = np.random.rand(4, 17, 3).astype(np.float32)
    results['targets']['clip']['pose'] = pose
    results['target_meta'] = {'pose': POSES}
    results = DecodeViews(short_side=60).transform(results)
    assert 'video_reader' not in results
    for view, inds in results['frame_inds'].items():
        assert [index_of(frame) for frame in results['views'][view]] == inds.tolist()
        assert {frame.shape for frame in results['views'][view]} == {(60, 80, 3)}
    np.testing.assert_allclose(results['targets']['clip']['pose'], pose * [80, 60, 1], rtol=1e-6)


def made_results():
    """Every frame of all views is the same picture, so that equal crops look equal."""
    picture = np.random.RandomState(0).randint(0, 255, (60, 80, 3)).astype(np.uint8)
    views = {'clip': 4, 'future': 3, 'keyframes': 2}
    pose = np.random.RandomState(1).rand(17, 3).astype(np.float32) * [80, 60, 1]
    return {
        'views': {view: [picture.copy() for _ in range(num)] for view, num in views.items()},
        'target_meta': {'pose': POSES, 'second': POSES},
        'targets': {
            view: {'pose': np.repeat(pose[None], views[view], axis=0).astype(np.float32)}
            for view in ('clip', 'future')
        },
    }


def test_views_together_share_a_draw_and_views_apart_do_not():
    together = TransformViews(views=('clip', 'future'), transforms=[CROP, FLIP])
    apart = TransformViews(views=('keyframes',), transforms=[CROP, FLIP])
    different = 0
    for seed in range(20):
        np.random.seed(seed)
        results = made_results()
        # Another pose teacher may read the same view.
        results['targets']['clip']['second'] = results['targets']['clip']['pose'].copy()
        results = apart.transform(together.transform(results))
        first = results['views']['clip'][0]
        assert [len(results['views'][v]) for v in ('clip', 'future', 'keyframes')] == [4, 3, 2]
        for frame in results['views']['clip'] + results['views']['future']:
            np.testing.assert_array_equal(frame, first)
        targets = results['targets']
        poses = np.concatenate([targets['clip']['pose'], targets['future']['pose']])
        np.testing.assert_array_equal(poses, np.repeat(poses[:1], 7, axis=0))
        np.testing.assert_array_equal(targets['clip']['second'], poses[:4])
        other = results['views']['keyframes'][0]
        different += other.shape != first.shape or not np.array_equal(other, first)
    assert different == 20


def test_a_flip_in_place_turns_a_frame_once_where_it_is_asked_for(video):
    """Frames repeat within ``clip``, and some of them are in ``clip_b`` too."""
    inds = {'clip': np.array([0, 1, 2, 2]), 'clip_b': np.array([1, 2, 3, 3])}
    results = {'frame_inds': inds, 'targets': {}, 'video_reader': VideoReader(video)}
    results = DecodeViews(short_side=60).transform(results)
    before = {view: [frame.copy() for frame in frames] for view, frames in results['views'].items()}
    flip = {'type': 'mmaction.Flip', 'flip_ratio': 1.0}  # works in place
    results = TransformViews(views=('clip',), transforms=[flip]).transform(results)
    for frame, plain in zip(results['views']['clip'], before['clip']):
        np.testing.assert_array_equal(frame, plain[:, ::-1])
    np.testing.assert_array_equal(results['views']['clip_b'], before['clip_b'])


def test_wrong_uses_are_named():
    with pytest.raises(KeyError, match=r"'clpi' is not among .*'clip'"):
        TransformViews(views=('clpi',), transforms=[]).transform(made_results())
    results = made_results()
    results['views']['future'] = [frame[:50] for frame in results['views']['future']]
    with pytest.raises(ValueError, match='differ in size'):
        TransformViews(views=('clip', 'future'), transforms=[]).transform(results)


@pytest.mark.parametrize(
    ('layout', 'other'), [('openpose25', 'ntu25'), ('jhmdb15', 'common15'), ('coco17', 'jhmdb15')]
)
@pytest.mark.parametrize('flip_ratio', [0.0, 1.0])
def test_a_flip_knows_the_layout_of_the_poses(layout, other, flip_ratio):
    """Some layouts have equally many joints in another order."""
    results = made_results()
    joints = LAYOUTS[layout].num_joints
    for targets in results['targets'].values():
        targets['pose'] = np.ones((len(targets['pose']), joints, 3))
    results['target_meta'] = {'pose': TargetMeta('pose', layout, 'f')}
    flip = {'type': 'HorizontalFlip', 'flip_ratio': flip_ratio}
    nested = {'type': 'RandomApply', 'transforms': [{**flip, 'layout': other}]}
    with pytest.raises(ConfigError, match=f"layout='{other}', and the poses .* have {layout}:"):
        TransformViews(views=('clip',), transforms=[nested]).transform(results)
    TransformViews(views=('clip',), transforms=[{**flip, 'layout': layout}]).transform(results)
