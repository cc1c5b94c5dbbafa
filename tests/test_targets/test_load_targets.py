import pickle
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from mmact_ssl.errors import BrokenSampleError, ConfigError
from mmact_ssl.preparation.poses import write_poses
from mmact_ssl.registry import TRANSFORMS
from mmact_ssl.targets.cache import TargetCacheError, TargetMeta, TargetWriter
from mmact_ssl.targets.load_targets import LoadTargets, caches_read_by
from tools.extract_targets import main as extract_targets
from tools.extract_targets import parse_args

PARTS = dict(target='parts', kind='map', cache='pose_parts.lmdb', layout='pose_parts')
POSE = np.random.default_rng(0).random((10, 17, 3), np.float32)


@pytest.fixture
def cache(tmp_path):
    path = tmp_path / 'targets' / 'pose.lmdb'
    with TargetWriter(path, TargetMeta('pose', 'coco17', 'f')) as writer:
        writer.put('videos/a.mp4', POSE)
    return str(path)


def sample(**other):
    return {
        'filename': '/data/x/videos/a.mp4',
        'total_frames': 10,
        'frame_inds': {'clip': np.array([0, 2, 4]), 'future': np.array([6, 9, 9])},
        'targets': {'clip': {'valid': np.ones(3, bool)}},
        **other,
    }


def load(path, **options):
    return LoadTargets(cache=path, **options).bind('', '/data/x')


def test_poses_of_the_chosen_frames(cache):
    transform = TRANSFORMS.build({'type': 'LoadTargets', 'views': ('clip', 'future')})
    transform.bind(Path(cache).parents[1], '/data/x')
    results = transform(sample())
    assert {view: set(found) for view, found in results['targets'].items()} == {
        'clip': {'valid', 'pose'},
        'future': {'pose'},
    }
    np.testing.assert_array_equal(results['targets']['clip']['pose'], POSE[[0, 2, 4]])
    np.testing.assert_array_equal(results['targets']['future']['pose'], POSE[[6, 9, 9]])
    assert results['targets']['clip']['pose'].dtype == np.float32
    results['targets']['clip']['pose'][:] = 0  # later transforms move poses in place
    again = pickle.loads(pickle.dumps(transform))(sample())
    np.testing.assert_array_equal(again['targets']['clip']['pose'], POSE[[0, 2, 4]])


def test_poses_behind_the_decoded_frames_are_an_error(cache):
    """They would be fractions of the frame where pixels are meant, and follow no crop or flip."""
    with pytest.raises(ConfigError, match="'pose' would not follow .* before DecodeViews"):
        load(cache)(sample(views={'clip': []}))


def test_caches_of_a_config_lie_beside_the_annotation_file():
    poses = dict(type='LoadTargets')
    parts = dict(type='mmact_ssl.LoadTargets', target='parts', cache='lip.lmdb')
    path = dict(type='LoadTargets', target='prompt', cache='/elsewhere/t.lmdb')
    dataset = dict(ann_file='data/x/train.txt', data_prefix=dict(video='data/x/videos'))
    loaders = [
        dict(dataset=dict(dataset=dict(dataset, pipeline=[poses, dict(type='DecodeViews')]))),
        dict(dataset=dict(data_root='data/y', ann_file='test.txt', pipeline=[parts, path])),
        None,
    ]
    assert list(caches_read_by(loaders)) == [
        ('pose', 'data/x/targets/pose.lmdb'),
        ('parts', 'data/y/targets/lip.lmdb'),
        ('prompt', '/elsewhere/t.lmdb'),
    ]


def write(path, meta, array, key='videos/a.mp4'):
    with TargetWriter(path, meta) as writer:
        writer.put(key, array)
    return str(path)


EMBEDDING = np.random.default_rng(1).random((10, 6), np.float32)


def test_targets_stand_beside_each_other(tmp_path):
    path = write(tmp_path / 'e', TargetMeta('embedding', '', 'f'), EMBEDDING)
    results = load(path, target='imagenet', views=('clip', 'future'))(sample())
    maps = np.random.default_rng(2).random((10, 1, 4, 5), np.float32)
    other = write(tmp_path / 'm', TargetMeta('map', 'person', 'g'), maps)
    results = load(other, target='parts', kind='map', layout='person')(results)
    assert list(results['target_meta']) == ['imagenet', 'parts']
    assert results['target_meta']['imagenet'] == TargetMeta('embedding', '', 'f')
    clip, future = (results['targets'][view] for view in ('clip', 'future'))
    np.testing.assert_array_equal(clip['imagenet'], EMBEDDING[[0, 2, 4]])
    np.testing.assert_array_equal(future['imagenet'], EMBEDDING[[6, 9, 9]])
    np.testing.assert_array_equal(clip['parts'], maps[[0, 2, 4]])
    assert 'parts' not in future
    with pytest.raises(ConfigError, match="view 'clip' has a target 'valid' already"):
        load(path, target='valid')(sample())


@pytest.mark.parametrize('inds', [[0, 1, 2], [0, 2], [0, 2, 4, 6], [0, 2, 5], [5, 7, 8], [4, 2, 0]])
def test_a_view_that_is_not_the_teachers_window_is_refused(tmp_path, inds):
    path = write(tmp_path / 'e', TargetMeta('embedding', '', 'f', window=(3, 2)), EMBEDDING)
    message = r"view 'clip' has the frames \[\d.*clips: give this view num_frames=3, stride=2 in S"
    with pytest.raises(ConfigError, match=message):
        load(path, target='action')(sample(frame_inds={'clip': np.array(inds)}))


@pytest.mark.parametrize(
    ('inds', 'window', 'entries'),
    [
        ([1, 2, 3], (3, 2), [0]),  # the clip around a shorter view
        ([4, 5, 6], (3, 2), [3]),
        ([0, 9], (3, 2), [0, 2, 4]),  # half a clip apart, within a longer view
        ([2, 8, 5], (3, 2), [2, 4]),
        ([8, 9], (3, 2), [5]),  # and within the video
        ([3, 4], (9, 4), [0]),  # but for a clip longer than the video
        ([3, 7], (1, 4), [3, 4, 5, 6, 7]),
        ([1, 3, 8], None, [1, 3, 8]),
    ],
)
def test_windows_are_the_clips_of_the_teacher_within_a_view(tmp_path, inds, window, entries):
    path = write(tmp_path / 'e', TargetMeta('embedding', '', 'f', window=window), EMBEDDING)
    results = load(path, target='video', windows=True)(sample(frame_inds={'clip': np.array(inds)}))
    found = results['targets']['clip']['video']
    np.testing.assert_allclose(found, EMBEDDING[entries].mean(0, keepdims=True), rtol=1e-6)


def test_windows_of_poses_have_no_mean(cache):
    with pytest.raises(ConfigError, match="take the mean of embeddings; .*holds 'pose'"):
        load(cache, windows=True)


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        (
            dict(filename='/data/x/videos/b.mp4'),
            TargetCacheError,
            r'b.mp4.* pose.lmdb.*mmact-ssl extract mmact_ssl::teachers/\S+ --data',
        ),
        (
            dict(total_frames=11),
            TargetCacheError,
            r"'videos/a.mp4' has 11 frames, and its 10 targets.*another video.*--overwrite",
        ),
        (dict(frame_inds={}), KeyError, r"LoadTargets: view 'clip' is not among \[\]"),
    ],
)
def test_a_sample_that_does_not_fit_is_an_error(cache, change, error, message):
    with pytest.raises(error, match=message.replace(' pose.lmdb', re.escape(cache))):
        load(cache)(sample(**change))


def test_a_video_that_extraction_could_not_decode_is_a_broken_sample(cache):
    """It is replaced, as one that cannot be opened; one that is merely missing is an error."""
    Path(f'{cache}.broken.txt').write_text('videos/b.mp4\tcannot be decoded\n', 'utf-8')
    transform = load(cache)
    with pytest.raises(BrokenSampleError, match='/data/x/videos/b.mp4: cannot be decoded'):
        transform(sample(filename='/data/x/videos/b.mp4'))
    with pytest.raises(TargetCacheError, match='bb.mp4'):
        transform(sample(filename='/data/x/videos/bb.mp4'))
    assert transform(sample())['targets']['clip']['pose'].any()


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        (dict(layout='kinect20'), TargetCacheError, "layout 'coco17', wanted 'kinect20': set"),
        (dict(target='map'), TargetCacheError, "holds 'pose', wanted 'map'"),
        (dict(cache='/nowhere/x'), TargetCacheError, 'no target cache at /nowhere/x'),
    ],
)
def test_a_wrong_layout_kind_or_path_is_refused_when_bound(cache, options, error, message):
    load(cache, layout=None)
    with pytest.raises(error, match=message):
        LoadTargets(**{'cache': cache, **options}).bind('')


CONFIG = '{tool} mmact_ssl::teachers/'
DRAW = '{tool} draw-parts {data}/targets/pose.lmdb --data {data}'
EMBED = '--sentences {data}/sentences_kinematic.json --out {data}/targets/prompts.lmdb'
OUT = 'resnet50_imagenet.lmdb'
IMAGENET = dict(target='imagenet', kind='embedding', cache='resnet50_imagenet.lmdb')


@pytest.mark.parametrize(
    ('options', 'command'),
    [
        ({}, f'{CONFIG}rtmpose-t_coco.py --data {{data}}'),
        (IMAGENET, f'{CONFIG}resnet50_imagenet.py --data {{data}} --out {{data}}/targets/{OUT}'),
        (PARTS, f'{CONFIG}rtmpose-t_coco.py --data {{data}} && {DRAW}'),
        (dict(target='prompt', kind='text', cache='prompts.lmdb'), f'{CONFIG}minilm.py {EMBED}'),
        (dict(cache='other.lmdb'), '{tool} CONFIG --data {data} --out {data}/targets/other.lmdb'),
    ],
)
def test_a_missing_cache_is_named_with_the_command_that_makes_it(tmp_path, options, command):
    """Which its tool can parse; ``CONFIG`` stands for a teacher that nobody knows."""
    (tmp_path / 'train.txt').write_text('a.mp4')
    with pytest.raises(TargetCacheError) as error:
        LoadTargets(**options).bind(tmp_path)
    shown = str(error.value).split('`')[1]
    assert shown.endswith(command.format(tool='mmact-ssl extract', data=tmp_path))
    for step in shown.split(' && '):
        if 'mmact-ssl extract ' in step:
            args = parse_args(shlex.split(step.partition('mmact-ssl extract ')[2]))
            for config in getattr(args, 'configs', []):
                path = Path(config.replace('mmact_ssl::', 'configs/'))
                assert config == 'CONFIG' or path.is_file()


def test_the_poses_that_a_set_has_are_imported_not_estimated(tmp_path):
    """A teacher's poses have other joints than the set's config reads."""
    names = ['a.mp4', 'b.mp4']
    (tmp_path / 'train.txt').write_text('a.mp4 0\n')
    (tmp_path / 'test.txt').write_text('b.mp4 0\n')
    write_poses(tmp_path / 'poses.npz', dict.fromkeys(names, np.ones((3, 20, 3))), 'kinect20')
    for options in (dict(layout='kinect20'), PARTS):
        with pytest.raises(TargetCacheError) as error:
            LoadTargets(**options).bind(tmp_path)
        shown = str(error.value).split('`')[1]
        step = f'mmact-ssl extract import-npz {tmp_path}/poses.npz --data {tmp_path}'
        assert step in shown.split(' && ')[0]
    extract_targets(shlex.split(step)[2:])
    assert LoadTargets(layout='kinect20').bind(tmp_path).reader.keys() == names
