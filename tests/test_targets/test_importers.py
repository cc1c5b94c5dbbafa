import numpy as np
import pytest

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.io.files import sha256_of_file
from mmact_ssl.targets.cache import TargetReader
from mmact_ssl.targets.importers import import_npz

LENGTHS = {'videos/a.mp4': 3, 'videos/b.mp4': 2}
KEYPOINTS = np.random.default_rng(0).random((5, 17, 3), np.float32)


def table(path, **changes):
    arrays = {'names': [*LENGTHS], 'lengths': [*LENGTHS.values()], 'layout': 'coco17'}
    arrays = {**arrays, 'keypoints': KEYPOINTS, **changes}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


def test_npz_is_cut_into_videos(tmp_path):
    table(tmp_path / 'p.npz')
    out = tmp_path / 'pose.lmdb'
    assert import_npz(tmp_path / 'p.npz', out, [*LENGTHS]) == 2
    reader = TargetReader(out)
    np.testing.assert_array_equal(reader.get('videos/a.mp4'), KEYPOINTS[:3])
    np.testing.assert_array_equal(reader.get('videos/b.mp4'), KEYPOINTS[3:])
    assert reader.meta.layout == 'coco17'
    assert reader.meta.fingerprint == sha256_of_file(tmp_path / 'p.npz')
    assert import_npz(tmp_path / 'p.npz', out, [*LENGTHS]) == 0  # all there


def test_the_annotated_videos_are_imported_by_their_exact_names(tmp_path):
    table(tmp_path / 'p.npz')
    assert import_npz(tmp_path / 'p.npz', tmp_path / 'x', ['videos/b.mp4']) == 1
    reader = TargetReader(tmp_path / 'x')
    assert reader.keys() == ['videos/b.mp4']
    np.testing.assert_array_equal(reader.get('videos/b.mp4'), KEYPOINTS[3:])
    for other in ('b.mp4', 'videos/b', 'x/videos/b.mp4'):
        message = rf"p\.npz lacks 1 of 2 annotated videos, e\.g\. '{other}': name its entries as"
        with pytest.raises(DataError, match=message):
            import_npz(tmp_path / 'p.npz', tmp_path / 'y', ['videos/a.mp4', other])


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        ({'layout': 'coco99'}, ConfigError, "layout 'coco99' of a pose"),
        ({'layout': 'kinect20'}, DataError, "t.npz: videos/a.mp4: .*'kinect20' has 20"),
        ({'lengths': (3, 3)}, DataError, 'do not fit'),
        ({'lengths': (-1, 6)}, DataError, 'lengths are integers, 1 or more: docs/extend/targets'),
        ({'lengths': (0, 5)}, DataError, 'lengths are integers, 1 or more'),
        ({'lengths': (3.0, 2.0)}, DataError, 'lengths are integers, 1 or more'),
        ({'lengths': None}, DataError, "'lengths' is missing: docs/extend/targets.md"),
        ({'keypoints': None, 'maps': KEYPOINTS}, DataError, "'keypoints' is missing"),
        ({'names': np.array([object(), 'a'], dtype=object)}, DataError, 'allow_pickle=False'),
        ({'names': ('a', 'b', 'a'), 'lengths': (2, 2, 1)}, DataError, "'a' is there twice"),
    ],
)
def test_a_bad_table_is_refused(tmp_path, change, error, message):
    table(tmp_path / 't.npz', **change)
    with pytest.raises(error, match=message):
        import_npz(tmp_path / 't.npz', tmp_path / 'x', [*LENGTHS])
