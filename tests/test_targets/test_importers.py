import json
import re
from pathlib import Path

import numpy as np
import pytest

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.files import sha256_of_file
from mmact_ssl.preparation import utdmhad
from mmact_ssl.preparation.skeletons import SkeletonWriter
from mmact_ssl.targets.cache import TargetReader
from mmact_ssl.targets.importers import import_npz
from tools.demo_world.write import coco_annotation

LENGTHS = {'videos/a.mp4': 3, 'videos/b.mp4': 2}
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
        (('/x/u/a', 'b'), ['w/u/b.mp4', 'u/a.mp4'], [3, 0]),  # more folders on either side
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
        (('train/a', 'b'), ['test/a.mp4'], "nothing for .*'test/a.mp4': name its entries as"),
    ],
)
def test_a_missing_or_ambiguous_entry_is_refused(tmp_path, names, annotated, message):
    table(tmp_path / 'p.npz', names=names)
    with pytest.raises(DataError, match=message):
        import_npz(tmp_path / 'p.npz', tmp_path / 'x', annotated)


def test_a_table_without_lengths_or_with_pickles_is_refused(tmp_path):
    np.savez(tmp_path / 'q.npz', names=np.array(['a']), keypoints=np.zeros((1, 17, 3)))
    with pytest.raises(DataError, match="'lengths' is missing: docs/extend/targets.md"):
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
    table(tmp_path / 'u.npz', embeddings=maps[:, 0, 0], **other)  # only maps are 0..255 for 0..1
    import_npz(tmp_path / 'u.npz', tmp_path / 'u')
    np.testing.assert_array_equal(TargetReader(tmp_path / 'u').get('videos/b.mp4'), maps[3:, 0, 0])
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


@pytest.mark.parametrize('lengths', [(-1, 6), (0, 5), (3.0, 2.0)])
def test_lengths_that_are_no_numbers_of_frames_are_refused(tmp_path, lengths):
    table(tmp_path / 't.npz', lengths=lengths)
    with pytest.raises(DataError, match='lengths are integers, 1 or more: docs/extend/targets.md'):
        import_npz(tmp_path / 't.npz', tmp_path / 'x')


def test_a_name_that_is_there_twice_is_refused(tmp_path):
    table(tmp_path / 't.npz', names=('a', 'b', 'a'), lengths=(2, 2, 1))
    with pytest.raises(DataError, match="'a' is there twice"):
        import_npz(tmp_path / 't.npz', tmp_path / 'x')


def recipe(number: int) -> str:
    """A piece of Python in the documentation of imports."""
    text = Path('docs/extend/targets.md').read_text().split('## Import what you have')[1]
    return re.findall(r'```python\n(.*?)```', text, re.DOTALL)[number]


def test_the_recipe_for_coco_gives_the_true_poses_of_the_demo_world(
    tmp_path, monkeypatch, make_video
):
    code = recipe(0)
    true = np.random.default_rng(0).random((3, 17, 3)).astype(np.float32)
    true[..., 2] = [1] * 9 + [0.5] * 7 + [0]  # seen, hidden, outside
    parts = np.ones((96, 128), np.uint8)
    images = [dict(id=t, video='a.mp4', frame=t, width=128, height=96) for t in range(3)]
    annotations = [dict(coco_annotation(pose, parts), image_id=t) for t, pose in enumerate(true)]
    data = tmp_path / 'data' / 'x'
    data.mkdir(parents=True)
    (data / 'poses.json').write_text(json.dumps(dict(images=images, annotations=annotations)))
    make_video(data / 'a.mp4', num_frames=4)
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert import_npz(data / 'poses.npz', data / 'pose.lmdb', ['a.mp4']) == 1
    pose = TargetReader(data / 'pose.lmdb').get('a.mp4')
    away = np.abs(pose[:3] - true)[:, :16, :2] * [128, 96]
    assert away.max() < 0.006  # pixels: written with two decimals
    np.testing.assert_array_equal(pose[:3, :, 2], true[..., 2] > 0)
    assert not pose[3].any(), 'a frame without an annotation is unknown'


def test_the_recipe_for_skeletons_projects_them_into_their_videos(tmp_path, monkeypatch):
    code = recipe(1)
    keypoints = np.random.default_rng(0).uniform(-1, 1, (5, 20, 3)).astype(np.float32)
    keypoints[..., 2] += 3
    keypoints[1, 7] = 0  # not seen
    with SkeletonWriter(
        tmp_path / 'data/x/skeleton', 'made', 'kinect20', ['x'], num_persons=1
    ) as writer:
        writer.add('a', 0, keypoints[None, :3])
        writer.add('b', 0, keypoints[None, 3:])
        writer.finish({'train': ['a', 'b']})
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    import_npz('data/x/poses.npz', 'pose.lmdb', list(LENGTHS))
    pose = TargetReader('pose.lmdb').get('videos/a.mp4')
    for t, joint in np.ndindex(3, 20):
        x, y, z = keypoints[t, joint].astype(float)
        seen = (t, joint) != (1, 7)
        wanted = [(79 + 130 * x / z) / 160, (60 - 130 * y / z) / 120, 1] if seen else [0, 0, 0]
        np.testing.assert_allclose(pose[t, joint], wanted, rtol=1e-5)
    assert (utdmhad.FOCAL, utdmhad.CENTER, utdmhad.SIZE) == (130, (79, 60), (160, 120))
