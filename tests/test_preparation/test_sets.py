"""Each data set's preparation, on small made folders and on the real sets where they are."""

from __future__ import annotations

import itertools
import json

import av
import numpy as np
import pytest
from scipy.io import savemat

from mmact_ssl.datasets.skeleton_folder import open_skeleton_folder
from mmact_ssl.errors import DataError
from mmact_ssl.preparation.files import data_root
from mmact_ssl.preparation.jhmdb import prepare as prepare_jhmdb
from mmact_ssl.preparation.own_folder import hold_out
from mmact_ssl.preparation.sthv2 import prepare as prepare_sthv2
from mmact_ssl.preparation.utdmhad import KINECT_ORDER
from mmact_ssl.preparation.utdmhad import prepare as prepare_utdmhad
from mmact_ssl.preparation.videos import prepare as prepare_videos
from mmact_ssl.preparation.videos import target_names
from tests.pose_file import read_poses
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


def test_jhmdb_leaves_out_and_names_a_broken_video(jhmdb, tmp_path):
    (jhmdb / 'videos/clap_1.mp4').write_bytes(b'nothing')
    out = tmp_path / 'out'
    assert prepare_jhmdb(jhmdb, out) == {'train': 1, 'test': 2, 'left_out': 1}
    assert lines(out / 'train.txt') == ['videos/clap_0.mp4 0']
    assert lines(out / 'left_out.txt')[0].startswith('videos/clap_1.mp4\tdoes not open: ')
    assert not (out / 'videos/clap_1.mp4').exists()


@pytest.mark.parametrize(
    'file,text,message',
    [
        ('val.txt', 'videos/clap_0.mp4 0\n', 'val.txt: videos/clap_0.mp4 is in train.txt, too'),
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
    coordinates = folder.open_coordinates()
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


# ---------------------------------------------------------------- your own videos


@pytest.fixture
def folder(tmp_path):
    source = tmp_path / 'my videos'
    for kind, count in (('a', 4), ('b c', 5)):
        for i in range(count):
            make_video(source / kind / f'clip {i}.{"mkv" if i == 1 else "mp4"}')
    (source / 'b c' / 'broken.mp4').write_bytes(b'nothing')
    (source / 'notes.txt').write_text('no video')
    make_video(source / 'loose.MP4')
    return source


def test_own_videos_without_labels(folder, tmp_path):
    out = tmp_path / 'out'
    assert prepare_videos(folder, out) == {'train': 10, 'left_out': 1}
    names = lines(out / 'train.txt')
    assert 'videos/b_c/clip_0.mp4' in names and 'videos/loose.MP4' in names
    assert all(' ' not in name and (out / name).is_symlink() for name in names)
    assert lines(out / 'left_out.txt')[0].startswith('b c/broken.mp4\tdoes not open')
    assert not (out / 'test.txt').exists() and not (out / 'classes.txt').exists()


def test_own_videos_with_labels_and_hold_out(folder, tmp_path):
    out = tmp_path / 'out'
    counts = prepare_videos(
        folder, out, labels_from_folders=True, test_fraction=0.25, placement='copy'
    )
    assert counts == {'train': 7, 'test': 2, 'left_out': 2}
    assert lines(out / 'classes.txt') == ['a', 'b c']
    train, test = lines(out / 'train.txt'), lines(out / 'test.txt')
    assert not set(train) & set(test)
    assert sorted(line[-1] for line in test) == ['0', '1']  # one of each class
    assert all(('/a/' in line) == line.endswith(' 0') for line in train + test)
    assert 'loose.MP4\tlies in no class folder' in lines(out / 'left_out.txt')


@pytest.mark.parametrize(('fraction', 'name'), [(0, 'rest'), (0.25, 'rest'), (0, './rest/')])
def test_a_folder_of_videos_without_labels_beside_classes(folder, tmp_path, fraction, name):
    for i in range(6):
        make_video(folder / 'rest' / 'anna' / f'{i}.mp4')
    out = tmp_path / 'out'
    options = dict(labels_from_folders=True, unlabeled=name, test_fraction=fraction)
    counts = prepare_videos(folder, out, **options)
    tests = counts.get('test', 0)
    assert bool(tests) == bool(fraction) and counts['train'] == 9 + 6 - tests
    assert lines(out / 'classes.txt') == ['a', 'b c']
    train = lines(out / 'train.txt')
    assert [line for line in train if 'rest' in line] == [
        f'videos/rest/anna/{i}.mp4' for i in range(6)
    ]
    assert sum(line.endswith((' 0', ' 1')) for line in train) == 9 - tests
    assert not fraction or not any('rest' in line for line in lines(out / 'test.txt'))


def test_nothing_is_held_out_of_unlabeled_videos_alone(tmp_path):
    make_video(tmp_path / 'in' / 'rest' / 'a.mp4')
    options = dict(labels_from_folders=True, unlabeled='rest', test_fraction=0.5)
    with pytest.raises(DataError, match='no video of .* has a label'):
        prepare_videos(tmp_path / 'in', tmp_path / 'out', **options)


def test_the_folder_without_labels_is_there(folder, tmp_path):
    for options in (dict(unlabeled='a'), dict(unlabeled='c', labels_from_folders=True)):
        with pytest.raises(DataError, match='--unlabeled [ac]: name a folder of'):
            prepare_videos(folder, tmp_path / 'out', **options)


def test_folders_of_one_person_stay_on_one_side(tmp_path, make_video):
    make_video(tmp_path / 'clip.mp4', num_frames=4)
    for action, who, day in itertools.product(('kick', 'wave'), ('anna', 'bob', 'eve'), '12'):
        place = tmp_path / 'in' / action / who / day
        place.mkdir(parents=True)
        (place / '1.mp4').symlink_to(tmp_path / 'clip.mp4')
    out = tmp_path / 'out'
    prepare_videos(tmp_path / 'in', out, labels_from_folders=True, test_fraction=0.3)
    train, test = (
        {line.split('/')[2] for line in lines(out / f'{split}.txt')} for split in ('train', 'test')
    )
    assert len(train) == 2 and len(test) == 1 and not train & test


TABLE = """video,label,group
a/clip 0.mp4,wave,anna
b c/clip 0.mp4,kick,anna
a/clip 2.mp4, wave ,bob
b c/clip 2.mp4,"kick",bob
b c/broken.mp4,jump,
b c/clip 3.mp4,,
"""


def test_a_table_labels_videos_where_they_lie(folder, tmp_path):
    """Their names stay, and with them what is cached of them; the others have no label."""
    out, table = tmp_path / 'out', tmp_path / 'labels.csv'
    prepare_videos(folder, out)
    names = lines(out / 'train.txt')
    table.write_text(TABLE)
    assert prepare_videos(folder, out, labels=table) == {'train': 10, 'left_out': 1}
    found = dict(line.split() for line in lines(out / 'train.txt') if line[-1] in '01')
    assert found == {
        'videos/a/clip_0.mp4': '1',
        'videos/a/clip_2.mp4': '1',
        'videos/b_c/clip_0.mp4': '0',
        'videos/b_c/clip_2.mp4': '0',
    }
    assert lines(out / 'classes.txt') == ['kick', 'wave']  # nobody jumps in what can be read
    assert [line.split()[0] for line in lines(out / 'train.txt')] == names

    counts = prepare_videos(folder, out, labels=table, test_fraction=0.5)
    assert counts == {'train': 8, 'test': 2, 'left_out': 1}
    held = {line.split()[0].split('_')[-1] for line in lines(out / 'test.txt')}
    assert len(held) == 1, 'both clips of one person'


def test_the_columns_of_a_table_may_come_in_any_order_and_without_groups(folder, tmp_path):
    table = tmp_path / 'labels.csv'
    table.write_bytes(b'\xef\xbb\xbflabel,video\r\n\r\nwave,loose.MP4\r\n')
    prepare_videos(folder, tmp_path / 'out', labels=table)
    assert 'videos/loose.MP4 0' in lines(tmp_path / 'out' / 'train.txt')
    assert not (tmp_path / 'out' / 'groups.json').exists()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('', r'csv:1: the columns are \[\], not video,label'),
        ('video;label\n', r"csv:1: the columns are \['video;label'\], not video,label"),
        ('video,label,split\n', 'csv:1: the columns are .*split'),
        ('video,label\na/clip 0.mp4\n', 'csv:2: has 1 cells for 2 columns'),
        ('video,label\n\na/clip.mp4,x\n', "csv:3: no video 'a/clip.mp4' below .*: write its path"),
        ('video,label\n' + 2 * 'loose.MP4,x\n', "csv:3: names 'loose.MP4' again"),
        ('video,label\nloose.MP4,"x\ny"\n', 'csv:2: .* leave out control characters'),
    ],
)
def test_what_is_wrong_in_a_table(folder, tmp_path, content, message):
    table = tmp_path / 'labels.csv'
    table.write_text(content)
    with pytest.raises(DataError, match=message):
        prepare_videos(folder, tmp_path / 'out', labels=table)
    assert not (tmp_path / 'out').exists()


def test_a_table_stands_alone(folder, tmp_path):
    for options in (dict(labels_from_folders=True), dict(unlabeled='a')):
        with pytest.raises(DataError, match='--labels: .* without --labels-from-folders'):
            prepare_videos(folder, tmp_path / 'out', labels=tmp_path / 'a.csv', **options)
    with pytest.raises(DataError, match='a.csv is missing'):
        prepare_videos(folder, tmp_path / 'out', labels=tmp_path / 'a.csv')


@pytest.mark.parametrize('labels', [False, True])
def test_own_videos_without_the_hold_out_of_before(folder, tmp_path, labels):
    out = tmp_path / 'out'
    prepare_videos(folder, out, labels_from_folders=True, test_fraction=0.25)
    held = lines(out / 'test.txt')
    prepare_videos(folder, out, labels_from_folders=labels)
    assert not (out / 'test.txt').exists()
    named = {line.split()[0] for line in lines(out / 'train.txt')}
    assert held and named >= {line.split()[0] for line in held}


def test_own_videos_inside_their_source_are_not_listed_twice(folder):
    out = folder / 'prepared'
    first = prepare_videos(folder, out)
    assert prepare_videos(folder, out) == first


def test_own_videos_say_what_is_wrong(folder, tmp_path):
    for options in (dict(test_fraction=0.2), dict(test_fraction=1.0, labels_from_folders=True)):
        with pytest.raises(DataError, match='--test-fraction: .* together with --labels or'):
            prepare_videos(folder, tmp_path / 'out', **options)
    with pytest.raises(DataError, match='would both be called videos/a_b.mp4'):
        target_names([tmp_path / 'a b.mp4', tmp_path / 'a_b.mp4'], tmp_path)


@pytest.mark.parametrize('fraction', [0.01, 0.3, 0.99])
def test_hold_out_is_balanced_and_seeded(fraction):
    labels = np.repeat([0, 1, 2, 3], [50, 10, 2, 1])
    test, how = hold_out(labels, fraction, seed=3)
    assert how == 'clip by clip'
    np.testing.assert_array_equal(test, hold_out(labels, fraction, seed=3)[0])
    for label, count in ((0, 50), (1, 10), (2, 2)):
        held = test[labels == label].sum()
        assert held == min(max(round(fraction * count), 1), count - 1)
    assert not test[labels == 3].any()


# ---------------------------------------------------------------- the real sets


def real(name):
    folder = data_root() / name
    if not (folder / 'train.txt').exists():
        pytest.skip(f'no {folder}: set MMACT_SSL_DATA or run tools/prepare_data.py {name}')
    return folder


def test_real_utdmhad_joints_fall_on_the_silhouette():
    folder = real('utdmhad')
    train, test = lines(folder / 'train.txt'), lines(folder / 'test.txt')
    assert (len(train), len(test)) == (431, 430)
    layout, poses = read_poses(folder / 'poses.npz')
    hits = []
    for number, (name, pose) in enumerate(poses.items()):
        if number % 60:
            continue
        with av.open(str(folder / name)) as container:
            frames = [frame.to_ndarray(format='gray') for frame in container.decode(video=0)]
        assert len(frames) == len(pose)
        for t in range(0, len(frames), 8):
            column, row = (pose[t, :, :2] * (160, 120)).astype(int).T
            hits.append(frames[t][np.clip(row, 0, 119), np.clip(column, 0, 159)] > 20)
    assert layout == 'kinect20' and KINECT_ORDER[:4] == (3, 2, 1, 0)
    assert np.mean(hits) > 0.94


# ---------------------------------------------------------------- Something-Something v2


@pytest.fixture(params=['labels/{}.json', 'something-something-v2-{}.json'])
def sthv2(tmp_path, request):
    """A source folder as it is distributed, now and formerly."""
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
        path = source / request.param.format(name)
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


def test_sthv2_says_what_is_wrong(sthv2, tmp_path):
    for path in sthv2.rglob('*train.json'):
        path.write_text(json.dumps([dict(id='78687', template='Eating [something]')]))
    with pytest.raises(DataError, match="'Eating something' of video 78687"):
        prepare_sthv2(sthv2, tmp_path / 'out')
    for path in sthv2.rglob('*train.json'):
        path.write_text(json.dumps([dict(id='5', template='Turning [something] upside down')]))
    with pytest.raises(DataError, match=r'5\.webm: no such file; .*unpack all parts'):
        prepare_sthv2(sthv2, tmp_path / 'out')
    with pytest.raises(DataError, match='20bn-something-something-v2: no such folder'):
        prepare_sthv2(tmp_path, tmp_path / 'out')
