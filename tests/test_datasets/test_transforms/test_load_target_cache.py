import pickle

import numpy as np
import pytest

from mmact_ssl.datasets.targets import TargetCacheError, TargetMeta, TargetWriter
from mmact_ssl.datasets.transforms.targets import LoadTargetCache, WholeFrameBox
from mmact_ssl.models.teachers import BaseTeacher
from mmact_ssl.registry import MODELS, TRANSFORMS

POSE = np.random.default_rng(0).random((10, 17, 3), np.float32)


@MODELS.register_module()
class SizedTeacher(BaseTeacher):
    """A teacher of which only the fingerprint matters here."""

    layout = 'coco17'

    def __init__(self, size):
        super().__init__({'size': size}, {})


@pytest.fixture
def cache(tmp_path):
    path = tmp_path / 'pose.lmdb'
    fingerprint = SizedTeacher(1).fingerprint()
    with TargetWriter(path, TargetMeta('pose', 'coco17', fingerprint)) as writer:
        writer.put('videos/a.mp4', POSE)
    return str(path)


def sample(**other):
    return {
        'filename': '/data/x/videos/a.mp4',
        'total_frames': 10,
        'frame_inds': {'clip': np.array([0, 2, 4]), 'future': np.array([6, 9, 9])},
        **other,
    }


def test_poses_of_the_chosen_frames(cache):
    transform = TRANSFORMS.build(
        {'type': 'LoadTargetCache', 'path': cache, 'views': ('clip', 'future')}
    )
    results = transform(sample())
    assert sorted(results['poses']) == ['clip', 'future']
    np.testing.assert_array_equal(results['poses']['clip'], POSE[[0, 2, 4]])
    np.testing.assert_array_equal(results['poses']['future'], POSE[[6, 9, 9]])
    assert results['poses']['clip'].dtype == np.float32
    results['poses']['clip'][:] = 0  # later transforms move poses in place
    np.testing.assert_array_equal(transform(sample())['poses']['clip'], POSE[[0, 2, 4]])


def test_it_works_after_pickling(cache):
    transform = pickle.loads(pickle.dumps(LoadTargetCache(cache)))
    np.testing.assert_array_equal(transform(sample())['poses']['clip'], POSE[[0, 2, 4]])


def test_other_targets_go_under_their_own_name(tmp_path):
    with TargetWriter(tmp_path / 'e.lmdb', TargetMeta('embedding', '', 'f')) as writer:
        writer.put('videos/a.mp4', np.arange(10.0))
    results = LoadTargetCache(str(tmp_path / 'e.lmdb'), target='embedding')(sample())
    np.testing.assert_array_equal(results['embedding']['clip'], [0, 2, 4])
    assert 'poses' not in results


def test_a_missing_video_names_video_cache_and_command(cache):
    with pytest.raises(TargetCacheError) as error:
        LoadTargetCache(cache)(sample(filename='/data/x/videos/b.mp4'))
    for part in ('b.mp4', cache, 'python tools/extract_targets.py CONFIG --ann'):
        assert part in str(error.value)


def test_another_length_is_an_error(cache):
    with pytest.raises(TargetCacheError, match=r"'videos/a.mp4' has 11 frames but 10 targets.*--o"):
        LoadTargetCache(cache)(sample(total_frames=11))


def test_an_unknown_view_is_an_error(cache):
    with pytest.raises(KeyError, match=r"view 'keyframes' is not among the sampled views \['clip'"):
        LoadTargetCache(cache, views=('keyframes',))(sample())


def test_a_stale_cache_is_refused_when_built(cache, tmp_path):
    LoadTargetCache(cache, teacher={'type': 'SizedTeacher', 'size': 1})
    config = tmp_path / 'teacher.py'
    config.write_text("teacher = dict(type='SizedTeacher', size=2)\n")
    with pytest.raises(TargetCacheError, match='stale: its teacher is'):
        LoadTargetCache(cache, teacher=str(config))


def test_a_wrong_layout_kind_or_path_is_refused_when_built(cache, tmp_path):
    with pytest.raises(TargetCacheError, match="has the layout 'coco17', wanted 'kinect20': set"):
        LoadTargetCache(cache, layout='kinect20')
    with pytest.raises(ValueError, match="unknown layout 'coco'; known are coco17"):
        LoadTargetCache(cache, layout='coco')
    with pytest.raises(TargetCacheError, match="holds 'pose', wanted 'parsing'"):
        LoadTargetCache(cache, target='parsing')
    with pytest.raises(TargetCacheError, match='no target cache at'):
        LoadTargetCache(str(tmp_path / 'none'))
    LoadTargetCache(cache, layout=None)


def test_whole_frame_box():
    results = WholeFrameBox()({'img': np.zeros((30, 40, 3)), 'bbox': np.ones((1, 4))})
    np.testing.assert_array_equal(results['bbox'], [[0, 0, 40, 30]])
