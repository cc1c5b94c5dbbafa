"""Each data set's preparation, on small made folders and on the real sets where they are."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.io import savemat

from mmact_ssl.datasets.skeleton_folder import open_skeleton_folder
from mmact_ssl.errors import DataError
from mmact_ssl.preparation.jhmdb import prepare as prepare_jhmdb
from mmact_ssl.preparation.sthv2 import prepare as prepare_sthv2
from mmact_ssl.preparation.utdmhad import prepare as prepare_utdmhad
from tests.helpers.videos import read_poses
from tests.test_preparation.helpers import lines, make_video

# ---------------------------------------------------------------- JHMDB


@pytest.fixture
def jhmdb(tmp_path):
    source = tmp_path / 'source'
    for i in range(4):
        make_video(source / f'videos/clap_{i}.mp4', seed=i)
    (source / 'classes.txt').write_text('clap\nwave\n')
    (source / 'train.txt').write_text('videos/clap_0.mp4 0\nvideos/clap_1.mp4 1\n')
    (source / 'val.txt').write_text('videos/clap_2.mp4 0\nvideos/clap_3.mp4 1\n')
    return source


def test_jhmdb_keeps_split_and_bytes(jhmdb, tmp_path):
    out = tmp_path / 'out'
    assert prepare_jhmdb(jhmdb, out) == {'train': 2, 'test': 2, 'left_out': 0}
    assert (out / 'train.txt').read_text() == (jhmdb / 'train.txt').read_text()
    assert (out / 'test.txt').read_text() == (jhmdb / 'val.txt').read_text()
    assert lines(out / 'classes.txt') == ['clap', 'wave']
    for i in range(4):
        name = f'videos/clap_{i}.mp4'
        assert (out / name).read_bytes() == (jhmdb / name).read_bytes()


@pytest.mark.parametrize(
    'file,text,message',
    [
        ('val.txt', 'videos/clap_0.mp4 0\n', 'clap_0.mp4 is in train and again in test; keep one'),
        ('classes.txt', None, 'classes.txt is missing: point --source at'),
    ],
)
def test_jhmdb_says_what_is_wrong(jhmdb, tmp_path, file, text, message):
    (jhmdb / file).unlink()
    if text is not None:
        (jhmdb / file).write_text(text)
    with pytest.raises(DataError, match=message):
        prepare_jhmdb(jhmdb, tmp_path / 'out')


# ---------------------------------------------------------------- UTD-MHAD


@pytest.fixture
def utdmhad(tmp_path):
    source = tmp_path / 'source'
    names = ['a1_s1_t1', 'a1_s2_t1', 'a27_s3_t1']
    lengths = np.array([3, 5, 4])
    for name, length in zip(names, lengths):
        make_video(source / f'depth_videos/{name}.mp4', length)
    rng = np.random.default_rng(0)
    keypoints = rng.normal(0, 0.5, (12, 20, 3)).astype(np.float32)
    keypoints[..., 2] += 3
    np.savez(
        source / 'utd_mhad_skeleton.npz',
        names=np.array(names),
        labels=np.array([0, 0, 26]),
        subjects=np.array([1, 2, 3]),
        lengths=lengths,
        keypoints=keypoints,
    )
    return source, keypoints


def test_utdmhad_splits_by_subject_and_projects(utdmhad, tmp_path):
    source, keypoints = utdmhad
    out = tmp_path / 'out'
    counts = prepare_utdmhad(source, out)
    assert counts == {'train': 2, 'test': 1, 'left_out': 0, 'skeletons': 3}
    assert lines(out / 'train.txt') == ['videos/a1_s1_t1.mp4 0', 'videos/a27_s3_t1.mp4 26']
    assert lines(out / 'test.txt') == ['videos/a1_s2_t1.mp4 0']
    assert len(lines(out / 'classes.txt')) == 27
    layout, poses = read_poses(out / 'poses.npz')
    assert layout == 'kinect20'
    assert [len(pose) for pose in poses.values()] == [3, 5, 4]
    for joint, place in ((0, 3), (1, 2), (2, 1), (3, 0), (7, 7), (19, 19)):  # slow twin
        x, y, z = keypoints[3 + 2, place].astype(float)
        expected = (130 * x / z + 79) / 160, (60 - 130 * y / z) / 120, 1.0
        np.testing.assert_allclose(poses['videos/a1_s2_t1.mp4'][2, joint], expected, rtol=1e-5)
    name = 'videos/a1_s1_t1.mp4'
    assert (out / name).read_bytes() == (source / 'depth_videos/a1_s1_t1.mp4').read_bytes()


def check_utdmhad_skeletons(out, keypoints):
    assert lines(out / 'skeleton/xsub_train.txt') == ['a1_s1_t1 0', 'a27_s3_t1 26']
    assert lines(out / 'skeleton/xsub_test.txt') == ['a1_s2_t1 0']
    assert len(lines(out / 'skeleton/classes.txt')) == 27
    folder = open_skeleton_folder(out / 'skeleton', 'no matter')
    assert folder.layout == 'kinect20' and folder.lengths.tolist() == [3, 5, 4]
    coordinates = folder._coordinates
    for joint, place in ((0, 3), (1, 2), (2, 1), (3, 0), (7, 7), (19, 19)):
        np.testing.assert_array_equal(coordinates[:, 0, joint], keypoints[:, place])


def test_utdmhad_skeletons_with_videos_and_as_downloaded(utdmhad, tmp_path):
    source, keypoints = utdmhad
    (source / 'depth_videos/a1_s2_t1.mp4').write_bytes(b'nothing')  # loses its video alone
    counts = prepare_utdmhad(source, tmp_path / 'with')
    assert counts == {'train': 2, 'test': 0, 'left_out': 1, 'skeletons': 3}
    check_utdmhad_skeletons(tmp_path / 'with', keypoints)
    (source / 'depth_videos/a1_s2_t1.mp4').unlink()
    with pytest.raises(DataError, match='a1_s2_t1.mp4: no such file'):
        prepare_utdmhad(source, tmp_path / 'out')
    source = tmp_path / 'downloaded'
    (source / 'Skeleton').mkdir(parents=True)
    parts = np.split(keypoints, [3, 8])
    for name, part in zip(('a1_s1_t1', 'a1_s2_t1', 'a27_s3_t1'), parts):
        path = source / 'Skeleton' / f'{name}_skeleton.mat'
        savemat(path, {'d_skel': part.transpose(1, 2, 0).astype(np.float64)})
    assert prepare_utdmhad(source, tmp_path / 'out') == {'skeletons': 3}
    check_utdmhad_skeletons(tmp_path / 'out', keypoints)
    whole = path.read_bytes()
    for damage, message in (
        (
            lambda: path.write_bytes(whole[:60]),
            r'a27_s3_t1_skeleton.mat: .*: it needs d_skel \[20, 3, T\]',
        ),
        (lambda: savemat(path, {'d_skel': np.ones((19, 3, 4))}), r'its shape is \[19, 3, 4\]'),
    ):
        damage()
        with pytest.raises(DataError, match=message):
            prepare_utdmhad(source, tmp_path / 'out')


# ---------------------------------------------------------------- Something-Something v2


@pytest.fixture
def sthv2(tmp_path):
    """A source folder as it is distributed."""
    source = tmp_path / 'source'
    folder = source / '20bn-something-something-v2'
    for name in ('78687', '42326', '100904'):
        make_video(folder / f'{name}.mp4').rename(folder / f'{name}.webm')
    (folder / '7.webm').write_bytes(b'no video')
    holding, turning = 'Holding [something] next to [something]', 'Turning [something] upside down'
    entries = {
        'labels': {
            'Turning something upside down': '1',
            'Holding something next to something': '0',
        },
        'train': [dict(id='78687', template=holding), dict(id='42326', template=turning)],
        'validation': [dict(id='100904', template=turning), dict(id='7', template=turning)],
    }
    for name, content in entries.items():
        path = source / 'labels' / f'{name}.json'
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    return source


def test_sthv2_reads_the_classes_of_the_templates(sthv2, tmp_path):
    out = tmp_path / 'out'
    assert prepare_sthv2(sthv2, out) == {'train': 2, 'test': 1, 'left_out': 1}
    assert lines(out / 'train.txt') == ['videos/78687.webm 0', 'videos/42326.webm 1']
    assert lines(out / 'test.txt') == ['videos/100904.webm 1']
    assert lines(out / 'classes.txt') == [
        'Holding something next to something',
        'Turning something upside down',
    ]
    assert (out / 'videos/42326.webm').is_symlink()


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        (dict(id='78687', template='Eating [something]'), "'Eating something' of video 78687"),
        (dict(id='5', template='Turning [something] upside down'), r'5\.webm: .*unpack all parts'),
    ],
)
def test_sthv2_says_what_is_wrong(sthv2, tmp_path, entry, message):
    (path,) = sthv2.rglob('*train.json')
    path.write_text(json.dumps([entry]))
    with pytest.raises(DataError, match=message):
        prepare_sthv2(sthv2, tmp_path / 'out')
