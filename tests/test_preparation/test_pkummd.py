"""PKU-MMD: videos cut into labeled clips, split lists, damaged files."""

from __future__ import annotations

import numpy as np
import pytest

from mmact_ssl.errors import DataError
from mmact_ssl.preparation.pkummd import prepare
from tests.test_preparation.helpers import lines


def video(frames, persons, seed):
    """float (T, 2, 25, 3) with a few decimals; absent persons are zero."""
    skeletons = np.random.default_rng(seed).uniform(0.5, 3, (frames, 2, 25, 3)).round(5)
    skeletons[:, persons:] = 0
    return skeletons


VIDEOS = {'0002-L': video(30, 1, 0), '0002-M': video(25, 2, 1), '0003-L': video(20, 1, 2)}
SPLITS = ['xsub_train', 'xsub_test', 'xview_train', 'xview_test']
LABELS = {
    '0002-L': '12,2,9,2\n7,10,30,1\n',
    '0002-M': '51,5,40,1\n\n7,0,1,2\n',  # the first ends behind the video, the second is one frame
    '0003-L': '12,3,12,1\n',
}


@pytest.fixture
def source(tmp_path):
    """As the archives unpack."""
    source = tmp_path / 'v1'
    for folder in ('PKU_Skeleton_Renew', 'Train_Label_PKU_final', 'Split'):
        (source / folder).mkdir(parents=True)
    for name, skeletons in VIDEOS.items():
        rows = (' '.join(f'{number:.6f}' for number in frame.ravel()) for frame in skeletons)
        (source / 'PKU_Skeleton_Renew' / f'{name}.txt').write_text(''.join(f' {r}\n' for r in rows))
    for name, text in LABELS.items():
        (source / 'Train_Label_PKU_final' / f'{name}.txt').write_text(text)
    (source / 'Split' / 'cross-subject.txt').write_text(
        'Training videos: \n0002-L, 0002-M, \n\nValidataion videos: \n0003-L\n'
    )
    (source / 'Split' / 'cross-view.txt').write_text(
        'Training videos: \n0002-M\nValidataion videos: \n0002-L, 0003-L, 0999-L\n'
    )
    return source


def test_videos_are_cut_and_split(source, tmp_path):
    out = tmp_path / 'out'
    counts = prepare(source, out)
    assert list(counts) == ['clips', *SPLITS, 'left_out']
    assert list(counts.values()) == [5, 4, 1, 2, 3, 0]
    assert lines(out / 'classes.txt') == ['action 7', 'action 12', 'action 51']
    assert lines(out / 'xsub_train.txt') == ['0002-L_1 1', '0002-L_2 0', '0002-M_1 2', '0002-M_2 0']
    assert lines(out / 'xview_test.txt') == ['0002-L_1 1', '0002-L_2 0', '0003-L_1 1']
    with np.load(out / 'clips.npz') as table:
        assert table['lengths'].tolist() == [7, 20, 20, 1, 9]
    cuts = [('0002-L', 2, 9), ('0002-L', 10, 30), ('0002-M', 5, 25), ('0002-M', 0, 1)]
    expected = np.concatenate(
        [VIDEOS[name][start:end] for name, start, end in [*cuts, ('0003-L', 3, 12)]]
    )
    np.testing.assert_array_equal(np.load(out / 'skeletons.npy'), expected.astype(np.float32))


def test_phase_two_has_other_names_of_lists(source, tmp_path):
    for kind in ('subject', 'view'):
        (source / 'Split' / f'cross-{kind}.txt').rename(source / f'cross_{kind}_v2.txt')
    assert prepare(source, tmp_path / 'out', 'pkummd2')['clips'] == 5


@pytest.mark.parametrize(
    ('line', 'reason'),
    [
        ('52,2,9,1', "'52,2,9,1' is not action 1..51, start, end"),
        ('7,9,9,1', 'is not action 1..51, start, end'),
        ('7,-3,9,1', 'is not action 1..51, start, end'),
        ('7,30,40,1', 'no frames'),
    ],
)
def test_a_label_of_no_use_is_left_out(source, tmp_path, line, reason):
    (source / 'Train_Label_PKU_final' / '0002-L.txt').write_text(f'12,2,9,2\n{line}\n7,10,30,1\n')
    assert prepare(source, tmp_path / 'out')['left_out'] == 1
    name, said = lines(tmp_path / 'out' / 'left_out.txt')[0].split('\t')
    assert name == '0002-L_2' and reason in said
    assert '0002-L_3 0' in lines(tmp_path / 'out' / 'xsub_train.txt')  # keeps its number


def test_a_damaged_video_loses_its_clips(source, tmp_path):
    path = source / 'PKU_Skeleton_Renew' / '0002-L.txt'
    path.write_text(path.read_text()[:-40])
    (source / 'PKU_Skeleton_Renew' / '0003-L.txt').unlink()
    assert prepare(source, tmp_path / 'out')['left_out'] == 3
    said = dict(line.split('\t') for line in lines(tmp_path / 'out' / 'left_out.txt'))
    assert said['0002-L_1'].startswith('0002-L.txt: cut short: 29 frames of 150 numbers, and 14')
    assert said['0003-L_1'] == 'the video has no skeleton file'


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (lambda s: (s / 'Split/cross-view.txt').unlink(), r'one cross-view\*.txt .* found none'),
        (lambda s: (s / 'cross_view_v2.txt').touch(), 'found cross-view.txt, cross_view_v2.txt'),
        (lambda s: (s / 'PKU_Skeleton_Renew/0002-L.skeleton').touch(), 'belong to the same video'),
    ],
)
def test_a_source_that_is_not_one_phase(source, tmp_path, damage, message):
    damage(source)
    with pytest.raises(DataError, match=f'{message}.* point --source at one phase'):
        prepare(source, tmp_path / 'out')
