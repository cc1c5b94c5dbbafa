"""Videos of one recording: equal files stay together, and names that look alike are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmact_ssl.errors import DataError
from mmact_ssl.preparation import recordings
from mmact_ssl.preparation.videos import prepare
from tests.test_preparation.helpers import lines, make_video


@pytest.fixture
def folder(tmp_path):
    """Four videos of each of two classes; the first one is there twice."""
    for label, start in dict(a=0, b=10).items():
        for seed, name in enumerate('klmn', start):
            make_video(tmp_path / 'in' / label / f'{name}{label}.mp4', seed=seed)
        make_video(tmp_path / 'in' / label / f'zoo{label}.mp4', seed=start)
    make_video(tmp_path / 'in' / 'a' / 'la_flipped.mp4', seed=40)
    return tmp_path / 'in'


@pytest.mark.parametrize(('placement', 'seed'), [('link', 0), ('link', 1), ('small', 2)])
def test_equal_files_are_on_one_side(folder, tmp_path, capsys, placement, seed):
    options = dict(placement=placement, seed=seed, test_fraction=0.25)
    prepare(folder, tmp_path / 'out', labels_from_folders=True, **options)
    for name in ('train.txt', 'test.txt'):
        listed = {Path(line.split()[0]).stem for line in lines(tmp_path / 'out' / name)}
        assert listed and all(len(listed & {f'k{label}', f'zoo{label}'}) != 1 for label in 'ab')
    pair = f'{folder / "a" / "zooa.mp4"} to {folder / "a" / "ka.mp4"}'
    shown = capsys.readouterr().out
    assert f'2 videos are equal to another and in its group: {pair}' in shown
    assert 'may be of one recording: 2 of 5 of a, such as la.mp4 and la_flipped.mp4: name' in shown


def test_equal_files_join_the_groups_of_a_table(folder, tmp_path, capsys):
    rows = ['a/ka.mp4,x,anna', 'a/la.mp4,x,anna', 'a/zooa.mp4,,bob', 'b/kb.mp4,y,bob']
    table = tmp_path / 'labels.csv'
    table.write_text('\n'.join(['video,label,group', *rows, 'b/lb.mp4,y,eve']))
    prepare(folder, tmp_path / 'out', labels=table)
    groups = json.loads((tmp_path / 'out' / 'groups.json').read_text())
    joined = {groups[f'videos/{row.partition(",")[0]}'] for row in rows}
    assert len(joined) == 1 and groups['videos/b/lb.mp4'] == 'eve'
    assert 'by their names' not in capsys.readouterr().out, 'the groups are known'


def test_equal_files_of_two_classes_are_refused(folder, tmp_path):
    (folder / 'b' / 'other.mp4').write_bytes((folder / 'a' / 'la.mp4').read_bytes())
    with pytest.raises(
        DataError, match=r'several labels: .*a/la.mp4 \(a\) and .*b/other.mp4 \(b\)'
    ):
        prepare(folder, tmp_path / 'out', labels_from_folders=True)
    assert not (tmp_path / 'out').exists()
    assert prepare(folder, tmp_path / 'out') == {'train': 12, 'left_out': 0}


def test_only_files_of_equal_size_are_read(tmp_path, monkeypatch):
    for name, content in dict(a='12', b='13', c='12', d='123', e='', f='12').items():
        (tmp_path / name).write_text(content)
    read, hash_of = [], recordings.sha256_of_file
    monkeypatch.setattr(recordings, 'sha256_of_file', lambda p: read.append(p.name) or hash_of(p))
    found = recordings.equal_files(sorted(tmp_path.iterdir()), {})
    assert [[path.name for path in equal] for equal in found] == [['a', 'c', 'f']]
    assert sorted(read) == [*'abcf']


@pytest.mark.parametrize(
    ('names', 'count'),
    [
        ('Copy of run, run, walk_flipped, walk, jump', 4),
        ('VID_20240102_112233, VID_20240102_112259, VID_20240102_112301', 2),
        ('2024-01-02 11.22.33, 2024-01-02 11.22.44, 2024-01-03 11.22.44', 2),
        ('anna_01, anna_02, bob 1, bob c2, eve, tim', 4),
        ('fi01, fi02, fi03, fi04, fi05, 1, 2, a/3, b/3', 0),
    ],
)
def test_names_of_one_recording_are_counted_by_class(names, count):
    classes = {Path(f'{name}.mp4'): 'x' for name in names.split(', ')}
    line = recordings.describe_likely(classes | {Path('run_flip.mp4'): 'y'})
    assert f': {count} of {len(classes)} of x, such as ' in line if count else line == ''
