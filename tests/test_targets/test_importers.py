import numpy as np
import pytest

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.files import sha256_of_file
from mmact_ssl.targets.cache import TargetReader
from mmact_ssl.targets.importers import import_npz

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


def test_the_annotated_videos_are_imported_by_their_exact_names(tmp_path):
    keypoints = table(tmp_path / 'p.npz')
    assert import_npz(tmp_path / 'p.npz', tmp_path / 'x', ['videos/b.mp4', 'videos/b.mp4']) == 1
    reader = TargetReader(tmp_path / 'x')
    assert reader.keys() == ['videos/b.mp4']
    np.testing.assert_array_equal(reader.get('videos/b.mp4'), keypoints[3:])
    for other in ('b.mp4', 'videos/b', 'x/videos/b.mp4'):
        message = rf"p\.npz lacks 1 of 2 annotated videos, e\.g\. '{other}': name its entries as"
        with pytest.raises(DataError, match=message):
            import_npz(tmp_path / 'p.npz', tmp_path / 'y', ['videos/a.mp4', other])


def test_a_table_without_lengths_or_with_pickles_is_refused(tmp_path):
    np.savez(tmp_path / 'q.npz', names=np.array(['a']), keypoints=np.zeros((1, 17, 3)))
    with pytest.raises(DataError, match="'lengths' is missing: docs/extend/targets.md"):
        import_npz(tmp_path / 'q.npz', tmp_path / 'x')
    table(tmp_path / 'r.npz', names=np.array([object(), 'a'], dtype=object))
    with pytest.raises(DataError, match='allow_pickle=False'):
        import_npz(tmp_path / 'r.npz', tmp_path / 'x')


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        ({'layout': 'coco99'}, ConfigError, "layout 'coco99' of a pose"),
        ({'layout': 'kinect20'}, DataError, "t.npz: videos/a.mp4: .*'kinect20' has 20"),
        ({'lengths': (3, 3)}, DataError, 'do not fit'),
        ({'keypoints': None, 'maps': KEYPOINTS}, DataError, "'keypoints' is missing"),
    ],
)
def test_a_bad_table_is_refused(tmp_path, change, error, message):
    table(tmp_path / 't.npz', **change)
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
