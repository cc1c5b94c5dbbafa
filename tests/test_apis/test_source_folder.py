"""Each kind of folder has its preparation; a folder without one is refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from mmact_ssl.apis.clips import find_clips
from mmact_ssl.apis.source_folder import find_source
from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.errors import ConfigError, DataError


@pytest.mark.parametrize('joints', sorted({layout.num_joints for layout in LAYOUTS.values()}))
def test_every_door_finds_the_same_layout(tmp_path, joints):
    """A layout that is taken for another one mirrors the wrong joints."""
    path, clip = tmp_path / 'x.npz', np.ones((1, 4, joints, 2))
    np.savez(path, names=['a'], labels=[0], lengths=[4], keypoints=clip[0])
    names = [name for name, layout in LAYOUTS.items() if layout.num_joints == joints]

    def of_table(layout: str | None) -> str:
        *start, found, unit, pixels = find_source(path, tmp_path / 'out', None, layout).words
        assert start == ['custom', '--source', str(path), '--layout']
        assert (unit, pixels) == ('--unit', 'pixels')
        return found

    def of_array(layout: str | None) -> str:
        return find_clips(clip, 'skeleton', layout or '')[0].read()['layout']

    for find in (of_table, of_array):
        assert [find(name) for name in names] == names
        if len(names) == 1:
            assert find(None) == names[0]
        else:
            with pytest.raises(DataError, match=f'layout=.* one of {", ".join(names)}'):
                find(None)


def test_pickles_and_files_of_ntu(tmp_path):
    clip = dict(frame_dir='a', label=0, keypoint=np.ones((1, 4, 17, 2)))
    (tmp_path / 'x.pkl').write_bytes(pickle.dumps([clip]))
    assert find_source(tmp_path, tmp_path / 'out', None, None).words == (
        *('pose-pickle', '--source', str(tmp_path / 'x.pkl'), '--layout', 'coco17'),
    )
    clip['keypoint'] = np.ones((1, 4, 7, 2))
    (tmp_path / 'x.pkl').write_bytes(pickle.dumps(dict(annotations=[clip])))
    with pytest.raises(DataError, match='7 joints, a number of no layout'):
        find_source(tmp_path, tmp_path / 'out', None, None)
    folder = tmp_path / 'ntu'
    folder.mkdir()
    for name, command in (('S001C001P001R001A001', 'ntu60'), ('S018C001P001R001A061', 'ntu120')):
        (folder / f'{name}.skeleton').touch()
        words = find_source(folder, tmp_path / 'out', None, None).words
        assert words == (command, '--source', str(folder))
    with pytest.raises(ConfigError, match='--layout: the joints of .*ntu are known'):
        find_source(folder, tmp_path / 'out', None, 'openpose25')


def test_a_change_of_files_or_labels_is_seen(tmp_path):
    folder, table = tmp_path / 'in', tmp_path / 'labels.csv'
    folder.mkdir()
    (folder / 'a.mp4').write_bytes(b'1')
    table.write_text('video,label\na.mp4,x\n')

    def state(labels: str | None) -> str:
        return find_source(folder, tmp_path / 'out', labels, None).state(labels)

    states = [state(None), state('folders'), state(str(table))]
    assert states == [state(None), state('folders'), state(str(table))]
    table.write_text('video,label\na.mp4,other\n')
    states.append(state(str(table)))
    (folder / 'b.mp4').write_bytes(b'2')
    states.append(state(None))
    assert len(set(states)) == 5


def test_a_mistake_in_the_labels_shows_before_anything_is_measured(tmp_path):
    (tmp_path / 'a.mp4').write_bytes(b'1')
    table = tmp_path / 'labels.csv'
    table.write_text('video,label\nb.mp4,x\n')
    with pytest.raises(DataError, match=':2: no video'):
        find_source(tmp_path, tmp_path / 'out', str(table), None)


def test_files_of_the_run_itself_are_not_read(tmp_path):
    folder, link = tmp_path / 'in', tmp_path / 'link'
    out = folder / 'out' / 'videos'
    out.mkdir(parents=True)
    link.symlink_to(folder)
    for file in (folder / 'a.mp4', out / 'a.mp4'):
        file.write_bytes(b'1')
    for path, run in ((folder, folder), (link, link), (link, folder), (folder, link)):
        assert find_source(path, run / 'out', None, None).files == (path / 'a.mp4',)
    with pytest.raises(ConfigError, match='in lies in --out .*: give an --out beside it'):
        find_source(folder, tmp_path, None, None)
