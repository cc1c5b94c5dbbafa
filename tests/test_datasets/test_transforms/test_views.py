"""SampleViews, DecodeViews and TransformViews."""

from __future__ import annotations

import numpy as np
import pytest

from mmact_ssl.datasets.transforms import DecodeViews, SampleViews, TransformViews
from mmact_ssl.targets.cache import TargetMeta

CLIP = {'num_frames': 4, 'stride': 3}
POSES = TargetMeta('pose', 'coco17', 'f')
FUTURE = {'num_frames': 3, 'stride': 2}
CROP = {'type': 'mmaction.RandomResizedCrop', 'area_range': (0.2, 0.6)}
FLIP = {'type': 'HorizontalFlip', 'layout': 'coco17'}


@pytest.fixture(scope='module')
def video(tmp_path_factory, make_video):
    return str(make_video(tmp_path_factory.mktemp('views') / 'video.mp4', num_frames=40))


def sample(transform, video):
    results = transform.transform({'filename': video})
    results['video_reader'].close()
    return results


def speeds(results):
    targets = results['targets'].items()
    return {view: named['speed'] for view, named in targets if 'speed' in named}


def valid(results, view):
    return results['targets'][view]['valid'].tolist()


def test_the_other_clip_has_a_start_of_its_own(video):
    transform = SampleViews(clip=CLIP, clip_b={'num_frames': 3, 'stride': 5})
    starts = set()
    for seed in range(400):
        np.random.seed(seed)
        inds = sample(transform, video)['frame_inds']
        np.testing.assert_array_equal(inds['clip'], np.add(inds['clip'][0], [0, 3, 6, 9]))
        np.testing.assert_array_equal(inds['clip_b'], np.add(inds['clip_b'][0], [0, 5, 10]))
        starts.add((int(inds['clip'][0]), int(inds['clip_b'][0])))
    firsts, others = zip(*starts)
    assert (min(firsts), max(firsts)) == (0, 30) and (min(others), max(others)) == (0, 29)
    assert len(starts) > 250, 'drawn apart'
    fixed = sample(SampleViews(CLIP, clip_b={'num_frames': 3, 'stride': 5}, test_mode=True), video)
    assert (fixed['frame_inds']['clip'][0], fixed['frame_inds']['clip_b'][0]) == (0, 29)


def test_the_strides_are_drawn_and_told(video):
    transform = SampleViews(
        clip={'num_frames': 4, 'stride': (1, 2, 4)},
        future={'num_frames': 2, 'stride': 3},
        clip_b={'num_frames': 3, 'stride': (1, 2, 4)},
    )
    seen = set()
    for seed in range(200):
        np.random.seed(seed)
        results = sample(transform, video)
        speed, inds = speeds(results), results['frame_inds']
        assert set(speed) == {'clip', 'clip_b'}, 'the stride of the future is never another'
        for view, stride in speed.items():
            assert set(np.diff(inds[view])) == {stride}
        assert inds['future'][0] == inds['clip'][-1] + speed['clip']
        assert np.diff(inds['future']) == [3]
        seen.add((speed['clip'], speed['clip_b']))
    assert seen == {(one, two) for one in (1, 2, 4) for two in (1, 2, 4)}
    assert 'speed' not in sample(SampleViews(clip=CLIP), video)


def test_the_other_clip_may_have_to_differ_in_speed(video):
    clip = {'num_frames': 3, 'stride': [1, 2, 4]}
    transform = SampleViews(clip=clip, clip_b=clip, differ=True)
    seen = set()
    for seed in range(100):
        np.random.seed(seed)
        speed = speeds(sample(transform, video))
        seen.add((speed['clip'], speed['clip_b']))
    assert seen == {(one, two) for one in (1, 2, 4) for two in (1, 2, 4) if one != two}
    fixed = sample(SampleViews(clip=clip, clip_b=clip, differ=True, test_mode=True), video)
    assert speeds(fixed) == {'clip': 1, 'clip_b': 4}


def test_future_goes_on_where_the_clip_ends(video):
    transform = SampleViews(clip=CLIP, future=FUTURE, keyframes={'num_frames': 2})
    starts = set()
    for seed in range(200):
        np.random.seed(seed)
        results = sample(transform, video)
        start = results['frame_inds']['clip'][0]
        starts.add(int(start))
        np.testing.assert_array_equal(results['frame_inds']['clip'], np.add(start, [0, 3, 6, 9]))
        np.testing.assert_array_equal(results['frame_inds']['future'], np.add(start, [12, 14, 16]))
        assert all(named['valid'].all() for named in results['targets'].values())
        assert results['total_frames'] == 40
        # The center, start + 4, is nearest to these (I-frames at 0, 12, 24, 36; B-frames move
        # packets by up to 3 places).
        assert set(results['frame_inds']['keyframes']) <= {0, 12, 24, 36}
        assert np.abs(results['frame_inds']['keyframes'] - start - 4).min() <= 9
    assert starts == set(range(40 - 16))


def test_the_middle_start_in_testing(video):
    transform = SampleViews(clip=CLIP, future=FUTURE, test_mode=True)
    assert {int(sample(transform, video)['frame_inds']['clip'][0]) for _ in range(5)} == {11}
    assert set(sample(transform, video)['frame_inds']) == {'clip', 'future'}


def test_a_short_video_is_padded_and_says_so(tmp_path, make_video):
    path = str(make_video(tmp_path / 'short.mp4', num_frames=14))
    results = sample(SampleViews(clip=CLIP, future=FUTURE, keyframes={'num_frames': 3}), path)
    assert results['frame_inds']['clip'].tolist() == [0, 3, 6, 9]
    assert results['frame_inds']['future'].tolist() == [12, 13, 13]
    assert all(valid(results, 'clip'))
    assert valid(results, 'future') == [True, False, False]
    assert results['frame_inds']['keyframes'].tolist() == [0, 12, 12]
    assert valid(results, 'keyframes') == [True, True, False]


def test_the_chosen_frames_are_decoded_and_poses_become_pixels(video, read_index):
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
        assert [read_index(frame) for frame in results['views'][view]] == inds.tolist()
        assert {frame.shape for frame in results['views'][view]} == {(60, 80, 3)}
    np.testing.assert_allclose(results['targets']['clip']['pose'], pose * [80, 60, 1], rtol=1e-6)


def made_results(clip=4, future=3, keyframes=2, joints=17):
    """Every frame of all views is the same picture, so that equal crops look equal."""
    picture = np.random.RandomState(0).randint(0, 255, (60, 80, 3)).astype(np.uint8)
    views = {'clip': clip, 'future': future, 'keyframes': keyframes}
    pose = np.random.RandomState(1).rand(joints, 3).astype(np.float32) * [80, 60, 1]
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


def test_a_frame_in_two_places_is_transformed_once_in_each():
    results = made_results()
    frame = results['views']['clip'][0]
    results['views']['future'] = [frame, frame, frame]
    flip = {'type': 'mmaction.Flip', 'flip_ratio': 1.0}  # works in place
    expected = frame[:, ::-1].copy()
    results = TransformViews(views=('clip', 'future'), transforms=[flip]).transform(results)
    for view in ('clip', 'future'):
        for flipped in results['views'][view]:
            np.testing.assert_array_equal(flipped, expected)


def test_wrong_uses_are_named():
    with pytest.raises(KeyError, match=r"'clpi' is not among .*'clip'"):
        TransformViews(views=('clpi',), transforms=[]).transform(made_results())
    results = made_results()
    results['views']['future'] = [frame[:50] for frame in results['views']['future']]
    with pytest.raises(ValueError, match='differ in size'):
        TransformViews(views=('clip', 'future'), transforms=[]).transform(results)
