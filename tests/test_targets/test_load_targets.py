import pickle

import numpy as np
import pytest

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers import BaseTeacher
from mmact_ssl.registry import MODELS, TRANSFORMS
from mmact_ssl.targets.cache import TargetCacheError, TargetMeta, TargetWriter
from mmact_ssl.targets.load_targets import LoadTargetCache, WholeFrameBox

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


def write(path, meta, array, key='videos/a.mp4'):
    with TargetWriter(path, meta) as writer:
        writer.put(key, array)
    return str(path)


EMBEDDING = np.random.default_rng(1).random((10, 6), np.float32)


def test_other_targets_go_under_their_own_name(tmp_path):
    path = write(tmp_path / 'e', TargetMeta('embedding', '', 'f'), EMBEDDING)
    results = LoadTargetCache(path, target='imagenet', views=('clip', 'future'))(sample())
    np.testing.assert_array_equal(results['imagenet']['clip'], EMBEDDING[[0, 2, 4]])
    np.testing.assert_array_equal(results['imagenet']['future'], EMBEDDING[[6, 9, 9]])
    assert results['target_meta'] == {'imagenet': TargetMeta('embedding', '', 'f')}
    assert 'poses' not in results
    maps = np.random.default_rng(2).random((10, 1, 4, 5), np.float32)
    other = write(tmp_path / 'm', TargetMeta('map', 'person', 'g', dtype='float16'), maps)
    results = LoadTargetCache(other, target='parts', kind='map', layout='person')(results)
    np.testing.assert_allclose(results['parts']['clip'], maps[[0, 2, 4]], atol=1e-3)
    assert list(results['target_meta']) == ['imagenet', 'parts']


def test_a_clip_teacher_gives_the_entry_of_the_first_frame(tmp_path):
    path = write(tmp_path / 'e', TargetMeta('embedding', '', 'f', window=(3, 2)), EMBEDDING)
    inds = {'clip': np.array([2, 4, 6]), 'future': np.array([6, 8, 9]), 'end': np.full(3, 9)}
    transform = LoadTargetCache(path, target='action', views=tuple(inds))
    results = transform(sample(frame_inds=inds))
    for view, first in (('clip', 2), ('future', 6), ('end', 9)):
        np.testing.assert_array_equal(results['action'][view], EMBEDDING[[first]])


@pytest.mark.parametrize('inds', [[0, 1, 2], [0, 2], [0, 2, 4, 6], [0, 2, 5], [5, 7, 8], [4, 2, 0]])
def test_a_view_that_is_not_the_teachers_window_is_refused(tmp_path, inds):
    path = write(tmp_path / 'e', TargetMeta('embedding', '', 'f', window=(3, 2)), EMBEDDING)
    transform = LoadTargetCache(path, target='action')
    message = (
        r"view 'clip' has the frames \[\d.*clips: give this view num_frames=3, stride=2 in Sam"
    )
    with pytest.raises(ConfigError, match=message):
        transform(sample(frame_inds={'clip': np.array(inds)}))


def test_one_sentence_is_drawn_or_all_are_given(tmp_path):
    sentences = np.random.default_rng(3).random((4, 6), np.float32)
    path = write(tmp_path / 't', TargetMeta('text', '', 'f'), sentences, key='a')
    transform = LoadTargetCache(path, target='prompt', kind='text')
    np.random.seed(0)
    drawn = [transform({'filename': '/x/videos/a.mp4'})['prompt']['clip'] for _ in range(40)]
    assert {part.shape for part in drawn} == {(1, 6)}
    rows = {int(np.flatnonzero((sentences == part).all(1))[0]) for part in drawn}
    assert rows == {0, 1, 2, 3}
    both = LoadTargetCache(path, target='prompt', sentences='all', views=('clip', 'future'))(
        {'filename': 'a'}
    )['prompt']
    np.testing.assert_array_equal(both['clip'], sentences)
    np.testing.assert_array_equal(both['future'], sentences)
    with pytest.raises(TargetCacheError, match="'b' is not in .*--sentences FILE --out"):
        transform({'filename': 'b'})


def test_a_name_that_the_sample_needs_is_refused(tmp_path):
    path = write(tmp_path / 'e', TargetMeta('embedding', '', 'f'), EMBEDDING)
    with pytest.raises(ConfigError, match="the name 'frame_inds' is taken"):
        LoadTargetCache(path, target='frame_inds')(sample())


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


def test_part_maps_of_another_parser_are_refused_when_built(tmp_path):
    path = tmp_path / 'parts.lmdb'
    with TargetWriter(path, TargetMeta('map', 'lip', SizedTeacher(1).fingerprint())) as writer:
        writer.put('videos/a.mp4', np.full((10, 20, 4, 4), 0.05, np.float32))
    options = {'path': str(path), 'target': 'parts', 'kind': 'map'}
    LoadTargetCache(**options, layout='lip', teacher={'type': 'SizedTeacher', 'size': 1})
    with pytest.raises(TargetCacheError, match='parts.lmdb'):
        LoadTargetCache(**options, teacher={'type': 'SizedTeacher', 'size': 2})
    with pytest.raises(TargetCacheError, match="layout 'lip', wanted 'person'"):
        LoadTargetCache(**options, layout='person')


def test_a_wrong_layout_kind_or_path_is_refused_when_built(cache, tmp_path):
    with pytest.raises(TargetCacheError, match="has the layout 'coco17', wanted 'kinect20': set"):
        LoadTargetCache(cache, layout='kinect20')
    with pytest.raises(ConfigError, match="unknown layout 'coco'; known are coco17"):
        LoadTargetCache(cache, layout='coco')
    with pytest.raises(TargetCacheError, match="holds 'pose', wanted 'map'"):
        LoadTargetCache(cache, target='map')
    with pytest.raises(ConfigError, match="only they, are the target 'pose'.*target is 'movenet'"):
        LoadTargetCache(cache, target='movenet')
    with pytest.raises(ConfigError, match="unknown kind 'box'; known are pose, emb"):
        LoadTargetCache(cache, kind='box')
    maps = write(tmp_path / 'm', TargetMeta('map', 'lip', 'f'), np.zeros((2, 20, 2, 2)))
    with pytest.raises(TargetCacheError, match="has the layout 'lip', wanted 'atr': set"):
        LoadTargetCache(maps, target='parts', layout='atr')
    with pytest.raises(TargetCacheError, match='no target cache at'):
        LoadTargetCache(str(tmp_path / 'none'))
    LoadTargetCache(cache, layout=None)


def test_maps_without_a_layout_must_be_said_to_have_no_sides(tmp_path):
    """A flip would mirror them and exchange nothing."""

    def cache(parts, layout=''):
        path = tmp_path / f'{parts}{layout}'
        return write(path, TargetMeta('map', layout, 'f'), np.zeros((2, parts, 2, 2)))

    three = cache(3)
    message = r"3 has 3 part maps and no layout.*left and right.*lip.*layout=''"
    for layout in ('default', None):
        with pytest.raises(ConfigError, match=message):
            LoadTargetCache(three, target='parts', layout=layout)
    LoadTargetCache(three, target='parts', layout='')
    LoadTargetCache(cache(2), target='parts')  # background and person
    LoadTargetCache(cache(20, 'lip'), target='parts')
    with pytest.raises(TargetCacheError, match="has the layout 'atr', wanted '': set"):
        LoadTargetCache(cache(18, 'atr'), target='parts', layout='')
    poses = write(tmp_path / 'p', TargetMeta('pose', 'coco17', 'f'), np.zeros((2, 17, 3)))
    with pytest.raises(ConfigError, match="unknown layout ''"):
        LoadTargetCache(poses, layout='')


def test_whole_frame_box():
    results = WholeFrameBox()({'img': np.zeros((30, 40, 3)), 'bbox': np.ones((1, 4))})
    np.testing.assert_array_equal(results['bbox'], [[0, 0, 40, 30]])
