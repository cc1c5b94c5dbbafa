"""Each kind of folder has its preparation; a folder without one is refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from mmact_ssl.apis.clips import find_clips
from mmact_ssl.apis.pretrain_plan import describe_changes, record_files
from mmact_ssl.apis.source_folder import find_source
from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.skeleton_folder import open_skeleton_folder
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.preparation.custom import prepare as prepare_custom
from mmact_ssl.preparation.pose_pickles import prepare as prepare_pickle


@pytest.mark.parametrize('joints', sorted({layout.num_joints for layout in LAYOUTS.values()}))
def test_every_door_finds_the_same_layout(tmp_path, joints):
    """A layout that is taken for another one mirrors the wrong joints."""
    path, clip = tmp_path / 'x.npz', np.ones((1, 4, joints, 2))
    np.savez(path, names=['a'], labels=[0], lengths=[4], keypoints=clip[0])
    names = [name for name, layout in LAYOUTS.items() if layout.num_joints == joints]

    def of_table(layout: str | None) -> str:
        start, *words = find_source(path, tmp_path / 'out', None, layout).words
        assert [start, *words[:2]] == ['custom', '--source', str(path)]
        prepare_custom(path, tmp_path / 'out', *words[3:])
        return open_skeleton_folder(tmp_path / 'out', '').layout

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
    words = ('pose-pickle', '--source', str(tmp_path / 'x.pkl'))
    assert find_source(tmp_path, tmp_path / 'out', None, None).words == words
    told = find_source(tmp_path, tmp_path / 'out', None, 'coco17', 'xyc').words
    assert told == (*words, '--layout', 'coco17', '--coordinates', 'xyc')
    with pytest.raises(DataError, match='17 joints .* one of coco17, h36m17'):
        prepare_pickle(tmp_path / 'x.pkl', tmp_path / 'out')
    clip['keypoint'] = np.ones((1, 4, 7, 2))
    (tmp_path / 'x.pkl').write_bytes(pickle.dumps(dict(annotations=[clip])))
    with pytest.raises(DataError, match='7 joints, a number of no layout'):
        prepare_pickle(tmp_path / 'x.pkl', tmp_path / 'out')
    folder = tmp_path / 'ntu'
    folder.mkdir()
    for name, command in (('S001C001P001R001A001', 'ntu60'), ('S018C001P001R001A061', 'ntu120')):
        (folder / f'{name}.skeleton').touch()
        words = find_source(folder, tmp_path / 'out', None, None).words
        assert words == (command, '--source', str(folder))
    with pytest.raises(ConfigError, match='--layout: the joints of .*ntu are known'):
        find_source(folder, tmp_path / 'out', None, 'openpose25')


def test_changes_of_a_folder_are_counted_and_named(tmp_path):
    folder = tmp_path / 'in'
    (folder / 'a').mkdir(parents=True)
    for name in ('a/1.mp4', 'a/2.mp4', '3.mp4'):
        (folder / name).write_bytes(name.encode())

    def record(earlier: dict) -> dict[str, list]:
        return record_files(find_source(folder, tmp_path / 'out', None, None), earlier)

    before = record({})
    assert record(before) == before and list(before) == ['3.mp4', 'a/1.mp4', 'a/2.mp4']
    # Only files of another size or time are read again.
    known = {name: [*version, 'known'] for name, (*version, _) in before.items()}
    (folder / 'a/1.mp4').write_bytes(b'other')
    (folder / '3.mp4').unlink()
    for number in range(4):
        (folder / f'{number} new.mp4').write_bytes(b'1')
    after = record(known)
    assert after['a/2.mp4'][-1] == 'known' != after['a/1.mp4'][-1] != before['a/1.mp4'][-1]
    contents = [{n: hashed for n, (*_, hashed) in part.items()} for part in (known, after)]
    shown = '4 new (0 new.mp4, 1 new.mp4, 2 new.mp4), 1 replaced (a/1.mp4), 1 gone (3.mp4)'
    assert describe_changes(*contents) == shown
    assert describe_changes(contents[0], contents[0]) == ''


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
