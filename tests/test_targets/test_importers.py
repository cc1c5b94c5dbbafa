import json
from unittest import mock

import numpy as np
import pytest

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.files import sha256_of_file
from mmact_ssl.preparation import utdmhad
from mmact_ssl.preparation.demo_world.write import coco_annotation
from mmact_ssl.preparation.poses import project_joints
from mmact_ssl.preparation.skeletons import SkeletonWriter
from mmact_ssl.targets import importers
from mmact_ssl.targets.cache import TargetCacheError, TargetReader
from mmact_ssl.targets.importers import import_coco, import_npz, import_skeletons

LENGTHS = {'videos/a.mp4': 3, 'videos/b.mp4': 2}
IMAGE = {'width': 200, 'height': 100}
KEYPOINTS = np.random.default_rng(0).random((5, 17, 3), np.float32)


def table(path, names=('videos/a.mp4', 'videos/b.mp4'), lengths=(3, 2), layout='coco17', **other):
    arrays = {
        'names': np.array(names),
        'lengths': np.array(lengths),
        'keypoints': KEYPOINTS,
        'layout': layout if layout is None else np.array(layout),
        **other,
    }
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return KEYPOINTS


def test_npz_is_cut_into_videos(tmp_path):
    keypoints = table(tmp_path / 'p.npz')
    out = tmp_path / 'pose.lmdb'
    assert import_npz(tmp_path / 'p.npz', out) == 2
    reader = TargetReader(out)
    np.testing.assert_array_equal(reader.get('videos/a.mp4'), keypoints[:3])
    np.testing.assert_array_equal(reader.get('videos/b.mp4'), keypoints[3:])
    assert reader.meta.layout == 'coco17'
    assert reader.meta.fingerprint == sha256_of_file(tmp_path / 'p.npz')
    assert import_npz(tmp_path / 'p.npz', out) == 0  # all there


@pytest.mark.parametrize(
    ('names', 'annotated', 'starts'),
    [
        (('b', 'a'), ['videos/a.mp4'], [3]),
        (
            ('u/a.mp4', 'a'),
            ['v/a.mp4', 'u/a.mp4'],
            [3, 0],
        ),  # an exact name leaves one for the other
        (('u/a.mp4', 'b'), ['u/b.mp4', 'u/b.mp4', 'u/a.mp4'], [3, 3, 0]),
        (('v/a', 'u/a'), ['u/a.mp4', 'v/a.mp4'], [3, 0]),  # folders tell them apart
        (('a_10.30', 'a_10'), ['u/a_10.mp4', 'u/a_10.30.mp4'], [3, 0]),  # a time is no suffix
    ],
)
def test_npz_names_without_suffix_become_the_annotated_paths(tmp_path, names, annotated, starts):
    keypoints = table(tmp_path / 'p.npz', names=names)
    import_npz(tmp_path / 'p.npz', tmp_path / 'x', annotated)
    reader = TargetReader(tmp_path / 'x')
    assert reader.keys() == sorted(set(annotated))
    for key, start in zip(annotated, starts):
        np.testing.assert_array_equal(reader.get(key), keypoints[start : start + (3, 2)[start > 0]])


@pytest.mark.parametrize(
    ('names', 'annotated', 'message'),
    [
        (('u/a', 'v/a'), ['c.mp4'], "nothing for the annotated video 'c.mp4'"),
        (('u/a', 'v/a'), ['a.mp4'], r"several entries \(u/a, v/a\).*'a.mp4'"),
        (('u/a.mp4', 'b'), ['u/b.mp4', 'v/b.mp4'], "'b' is the only.*'u/b.mp4' and 'v/b.mp4'"),
        (('u/a', 'b'), ['u/a.mp4', 'v/a.mp4'], "nothing for the annotated video 'v/a.mp4'"),
        (('u/a.mp4', 'b'), ['u/a.mp4', 'v/a.mp4'], "nothing for the annotated video 'v/a.mp4'"),
    ],
)
def test_a_missing_or_ambiguous_entry_is_refused(tmp_path, names, annotated, message):
    table(tmp_path / 'p.npz', names=names)
    with pytest.raises(DataError, match=message):
        import_npz(tmp_path / 'p.npz', tmp_path / 'x', annotated)


def test_a_table_without_lengths_or_with_pickles_is_refused(tmp_path):
    np.savez(tmp_path / 'q.npz', names=np.array(['a']), keypoints=np.zeros((1, 17, 3)))
    with pytest.raises(DataError, match="'lengths' is missing: docs/targets.md"):
        import_npz(tmp_path / 'q.npz', tmp_path / 'x')
    table(tmp_path / 'r.npz', names=np.array([object(), 'a'], dtype=object))
    with pytest.raises(DataError, match='allow_pickle=False'):
        import_npz(tmp_path / 'r.npz', tmp_path / 'x')


def test_npz_of_embeddings_and_maps(tmp_path):
    rng = np.random.default_rng(0)
    embeddings, maps = rng.random((5, 8), np.float32), rng.integers(0, 256, (5, 1, 6, 4), np.uint8)
    other = dict(keypoints=None, layout=None)
    table(tmp_path / 'e.npz', embeddings=embeddings, window=np.array([16, 4]), **other)
    assert import_npz(tmp_path / 'e.npz', tmp_path / 'e', dtypes={'embedding': 'float16'}) == 2
    reader = TargetReader(tmp_path / 'e')
    assert (reader.meta.kind, reader.meta.window, reader.meta.dtype) == (
        'embedding',
        (16, 4),
        'float16',
    )
    np.testing.assert_array_equal(
        reader.get('videos/b.mp4'), embeddings[3:].astype(np.float16).astype(np.float32)
    )
    import_npz(tmp_path / 'e.npz', tmp_path / 'i', dtypes={'embedding': 'int8'})
    np.testing.assert_allclose(
        TargetReader(tmp_path / 'i').get('videos/b.mp4'), embeddings[3:], atol=0.5001 / 127
    )
    table(tmp_path / 'm.npz', maps=maps, keypoints=None, layout='person')
    assert import_npz(tmp_path / 'm.npz', tmp_path / 'm', dtypes={'map': 'uint8'}) == 2
    reader = TargetReader(tmp_path / 'm')
    assert (reader.meta.kind, reader.meta.layout) == ('map', 'person')
    np.testing.assert_array_equal(reader.get('videos/a.mp4'), maps[:3] / np.float32(255))
    table(tmp_path / 'n.npz', maps=maps, keypoints=None, layout=None)
    import_npz(tmp_path / 'n.npz', tmp_path / 'no')
    assert TargetReader(tmp_path / 'no').meta.layout == ''


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        ({'keypoints': KEYPOINTS, 'layout': 'coco99'}, ConfigError, "layout 'coco99' of a pose"),
        ({'keypoints': KEYPOINTS, 'layout': 'kinect20'}, DataError, "'kinect20' has 20"),
        ({'keypoints': KEYPOINTS, 'layout': 'coco17', 'lengths': (3, 3)}, DataError, 'do not fit'),
        ({'maps': np.full((5, 1, 2, 2), 1.5)}, DataError, 't.npz: videos/a.mp4: maps are prob'),
        ({'embeddings': np.zeros((5, 2)), 'window': np.zeros(2, int)}, DataError, 'window is'),
    ],
)
def test_a_bad_table_is_refused(tmp_path, change, error, message):
    table(tmp_path / 't.npz', **{'keypoints': None, 'layout': 'person', **change})
    with pytest.raises(error, match=message):
        import_npz(tmp_path / 't.npz', tmp_path / 'x')


@pytest.fixture
def skeletons(tmp_path):
    """A prepared folder of two clips of 3 and 2 frames, and its coordinates (5, 20, 3)."""
    keypoints = np.random.default_rng(0).uniform(-1, 1, (5, 20, 3)).astype(np.float32)
    keypoints[..., 2] += 3
    keypoints[1, 7] = 0  # not seen
    folder = tmp_path / 'skeleton'
    with SkeletonWriter(folder, 'made', 'kinect20', ['x'], num_persons=1) as writer:
        writer.add('a', 0, keypoints[None, :3])
        writer.add('b', 0, keypoints[None, 3:])
        writer.finish({'train': ['a', 'b']})
    return folder, keypoints


def test_skeletons_are_projected_into_their_videos(tmp_path, skeletons):
    folder, keypoints = skeletons
    camera = (130.0, (79.0, 60.0), (160, 120))
    assert import_skeletons(folder, tmp_path / 'x', *camera, list(LENGTHS)) == 2
    reader = TargetReader(tmp_path / 'x')
    assert (reader.meta.kind, reader.meta.layout) == ('pose', 'kinect20')
    pose = reader.get('videos/a.mp4')
    for t, joint in np.ndindex(3, 20):
        x, y, z = keypoints[t, joint].astype(float)
        seen = (t, joint) != (1, 7)
        wanted = [(79 + 130 * x / z) / 160, (60 - 130 * y / z) / 120, 1] if seen else [0, 0, 0]
        np.testing.assert_allclose(pose[t, joint], wanted, rtol=1e-5)
    assert camera == (utdmhad.FOCAL, utdmhad.CENTER, utdmhad.SIZE)
    np.testing.assert_array_equal(pose, project_joints(keypoints[:3], *camera))
    with pytest.raises(TargetCacheError, match='stale'):  # another camera, other poses
        import_skeletons(folder, tmp_path / 'x', 131.0, *camera[1:], list(LENGTHS))


@pytest.mark.parametrize('change', [dict(names=['b', 'a']), dict(lengths=[2, 3])])
def test_a_cache_of_skeletons_is_stale_once_their_table_was_corrected(tmp_path, skeletons, change):
    folder, _ = skeletons
    arguments = folder, tmp_path / 'x', 130.0, (79.0, 60.0), (160, 120)
    import_skeletons(*arguments)
    assert import_skeletons(*arguments) == 0  # all there
    with np.load(folder / 'clips.npz') as clips:
        np.savez(folder / 'clips.npz', **{**clips, **change})
    with pytest.raises(TargetCacheError, match='stale'):
        import_skeletons(*arguments)


def test_skeletons_that_do_not_fit_are_refused(tmp_path, skeletons):
    folder, _ = skeletons
    camera = ((79.0, 60.0), (160, 120))
    meta = json.loads((folder / 'meta.json').read_text())
    (folder / 'meta.json').write_text(json.dumps({**meta, 'unit': 'pixels'}))
    with pytest.raises(DataError, match='holds skeletons in pixels'):
        import_skeletons(folder, tmp_path / 'x', 130.0, *camera)


def test_skeletons_behind_the_camera_are_refused(tmp_path):
    """As a folder of left-handed coordinates has them, whose depth was negated."""
    with SkeletonWriter(tmp_path / 'in', 'made', 'kinect20', ['x'], num_persons=1) as writer:
        writer.add('a', 0, np.full((1, 3, 20, 3), -2, np.float32))
        writer.finish({'train': ['a']})
    with pytest.raises(DataError, match='no joint of a lies before the camera'):
        import_skeletons(tmp_path / 'in', tmp_path / 'x', 130.0, (79.0, 60.0), (160, 120))


@pytest.mark.parametrize('lengths', [(-1, 6), (0, 5), (3.0, 2.0)])
def test_lengths_that_are_no_numbers_of_frames_are_refused(tmp_path, lengths):
    table(tmp_path / 't.npz', lengths=lengths)
    with pytest.raises(DataError, match='lengths are integers, 1 or more: docs/targets.md'):
        import_npz(tmp_path / 't.npz', tmp_path / 'x')


def test_a_name_that_is_there_twice_is_refused(tmp_path):
    table(tmp_path / 't.npz', names=('a', 'b', 'a'), lengths=(2, 2, 1))
    with pytest.raises(DataError, match="'a' is there twice"):
        import_npz(tmp_path / 't.npz', tmp_path / 'x')


def coco(path, images, annotations):
    images = [{'id': i, **IMAGE, **image} for i, image in enumerate(images)]
    path.write_text(json.dumps({'images': images, 'annotations': annotations}))
    return path


def person(image_id, x=49.5, y=24.5, v=2, **fields):
    return {'image_id': image_id, 'keypoints': [x, y, v] * 17, **fields}


@pytest.mark.parametrize(
    'image',
    [
        {'file_name': 'videos/a.mp4/000002.jpg'},
        {'file_name': 'videos/a/frame_2.png'},
        {'file_name': 'videos/a_000002.jpg'},
        {'file_name': 'videos/a/img_00002.jpg'},
        {'file_name': 'whatever.jpg', 'video': 'videos/a.mp4', 'frame': 2},
    ],
)
def test_coco_images_tell_their_frame(tmp_path, image):
    source = coco(tmp_path / 'c.json', [image], [person(0)])
    assert import_coco(source, tmp_path / 'x', LENGTHS) == 2
    pose = TargetReader(tmp_path / 'x').get('videos/a.mp4')
    np.testing.assert_array_equal(pose[2], np.tile(np.float32([0.25, 0.25, 1]), (17, 1)))
    assert not pose[:2].any()  # frames without an annotation are unknown
    assert not TargetReader(tmp_path / 'x').get('videos/b.mp4').any()


@pytest.mark.parametrize('first', [0, 1])
def test_coco_frames_that_seem_to_count_from_1_are_told(tmp_path, monkeypatch, first):
    said = mock.Mock()
    monkeypatch.setattr(importers, 'print_log', said)
    images = [{'file_name': f'videos/a/{frame}.jpg'} for frame in (first, 2)]
    import_coco(coco(tmp_path / 'c.json', images, [person(0), person(1)]), tmp_path / 'x', LENGTHS)
    assert said.call_count == first
    assert not first or 'if the file counts from 1' in said.call_args.args[0]


def test_coco_frames_of_videos_that_differ_by_suffix_name_their_video(tmp_path):
    lengths = {'videos/a.avi': 3, 'videos/a.mp4': 3}
    source = coco(tmp_path / 'c.json', [{'file_name': 'videos/a/1.jpg'}], [person(0)])
    with pytest.raises(DataError, match="may be any of .*a.avi.*a.mp4.*'video'"):
        import_coco(source, tmp_path / 'x', lengths)
    image = {'file_name': '1.jpg', 'video': 'videos/a.avi', 'frame': 1}
    import_coco(coco(tmp_path / 'd.json', [image], [person(0)]), tmp_path / 'y', lengths)
    reader = TargetReader(tmp_path / 'y')
    assert reader.get('videos/a.avi').any() and not reader.get('videos/a.mp4').any()


@pytest.mark.parametrize('name', ['a.1', 'a.v2'])
def test_coco_frames_of_a_video_with_a_dot_in_its_name_are_its_own(tmp_path, name):
    lengths = {'videos/a.mp4': 3, f'videos/{name}.mp4': 3}
    source = coco(tmp_path / 'c.json', [{'file_name': f'videos/{name}/1.jpg'}], [person(0)])
    import_coco(source, tmp_path / 'x', lengths)
    reader = TargetReader(tmp_path / 'x')
    assert reader.get(f'videos/{name}.mp4').any() and not reader.get('videos/a.mp4').any()


def test_coco_entries_of_one_frame_share_its_best_person(tmp_path):
    images = [{'file_name': f'videos/a/{name}.jpg'} for name in ('2', '002')]
    persons = [person(0, x=19.5, score=0.9), person(1, x=9.5, score=0.3)]
    import_coco(coco(tmp_path / 'c.json', images, persons), tmp_path / 'x', LENGTHS)
    assert TargetReader(tmp_path / 'x').get('videos/a.mp4')[2, 0, 0] == np.float32(0.1)


def test_coco_visibility_and_the_best_person(tmp_path):
    annotations = [
        person(0, x=9.5, score=0.3, area=9),
        person(0, x=19.5, score=0.9, area=1),
        person(0, x=29.5, score=0.5, area=99),
        person(1, x=9.5, area=5),
        person(1, x=19.5, area=50, score=1.0),  # as all without a score
        person(1, x=29.5, area=50),
        person(2, v=0),
        person(3, v=1),
        person(4, v=0.25),
        person(5, x=9.5, area=9),
        person(5, v=0, area=4000),
        person(5, x=29.5, area=4000, iscrowd=1),
        person(6, x=9.5, score=-3.2),
    ]
    images = [{'file_name': f'videos/a/{i}.jpg'} for i in range(7)]
    source = coco(tmp_path / 'c.json', images, annotations)
    import_coco(source, tmp_path / 'x', {'videos/a.mp4': 7})
    pose = TargetReader(tmp_path / 'x').get('videos/a.mp4')
    np.testing.assert_allclose(pose[5:, 0], [[0.05, 0.25, 1]] * 2)
    np.testing.assert_allclose(pose[:2, 0, 0], [0.1, 0.1])
    np.testing.assert_array_equal(pose[2], 0)
    np.testing.assert_array_equal(pose[3:5, 0, 2], [1, 0.25])


def test_what_the_demo_world_writes_comes_back_as_the_true_poses(tmp_path):
    true = np.random.default_rng(0).random((3, 17, 3)).astype(np.float32)
    true[..., 2] = [1] * 9 + [0.5] * 7 + [0]  # seen, hidden, outside
    parts = np.ones((96, 128), np.uint8)
    annotations = [dict(coco_annotation(pose, parts), image_id=t) for t, pose in enumerate(true)]
    size = {'height': 96, 'width': 128}
    images = [{'file_name': f'videos/a/{t}.jpg', **size} for t in range(3)]
    import_coco(coco(tmp_path / 'c.json', images, annotations), tmp_path / 'x', {'videos/a.mp4': 3})
    pose = TargetReader(tmp_path / 'x').get('videos/a.mp4')
    away = np.abs(pose - true)[:, :16, :2] * [128, 96]
    assert away.max() < 0.006  # pixels: written with two decimals
    np.testing.assert_array_equal(pose[..., 2], true[..., 2] > 0)


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        ({'file_name': 'videos/a/7.jpg'}, "frame 7 of 'videos/a.mp4', which has 3 frames"),
        ({'file_name': 'videos/z/0.jpg'}, "'videos/z' is not among the annotated videos"),
        ({'file_name': 'nothing.jpg'}, "the frame of image 'nothing.jpg' is unknown"),
    ],
)
def test_coco_frames_that_do_not_fit_are_refused(tmp_path, image, message):
    source = coco(tmp_path / 'c.json', [image], [person(0)])
    with pytest.raises(DataError, match=f'c.json: .*{message}'):
        import_coco(source, tmp_path / 'x', LENGTHS)
    assert not (tmp_path / 'x').exists()
