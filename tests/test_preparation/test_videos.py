"""Preparation of one's own videos: lists, labels from folders and tables, what is held out."""

from __future__ import annotations

import errno
import os
import re

import numpy as np
import pytest

from mmact_ssl.apis.clips import find_clips
from mmact_ssl.datasets.prepared_folder import hold_out
from mmact_ssl.errors import DataError
from mmact_ssl.preparation.files import files_below
from mmact_ssl.preparation.videos import class_order, target_names
from mmact_ssl.preparation.videos import prepare as prepare_videos
from tests.test_preparation.helpers import lines, make_video


@pytest.fixture
def folder(tmp_path):
    source = tmp_path / 'my videos'
    for kind, count in (('a', 4), ('b c', 5)):
        for i in range(count):
            name = f'clip {i}.{"mkv" if i == 1 else "mp4"}'
            make_video(source / kind / name, seed=10 * count + i)
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


def test_a_source_inside_the_folder_to_write_is_named(folder, tmp_path):
    with pytest.raises(
        DataError, match=r'my videos: its 11 videos are left out, because they lie in --out'
    ):
        prepare_videos(folder, tmp_path)


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


@pytest.mark.parametrize('seed', range(4))
def test_a_video_without_a_label_is_left_out_with_its_group(folder, tmp_path, capsys, seed):
    """Nobody who is tested is seen in pre-training."""
    table = tmp_path / 'labels.csv'
    who = {'anna': ('a/clip 0.mp4', 'b c/clip 0.mp4'), 'bob': ('a/clip 2.mp4', 'b c/clip 2.mp4')}
    rows = [
        f'{video},{label},{name}' for name, two in who.items() for video, label in zip(two, 'xy')
    ]
    rows += ['a/clip 3.mp4,,anna', 'b c/clip 3.mp4,,bob', 'loose.MP4,,eve']
    table.write_text('\n'.join(['video,label,group', *rows]))
    counts = prepare_videos(folder, tmp_path / 'out', labels=table, test_fraction=0.5, seed=seed)
    assert counts == {'train': 7, 'test': 2, 'left_out': 1}
    assert '1 videos without a label are in no list' in capsys.readouterr().out
    train, test = (lines(tmp_path / 'out' / f'{split}.txt') for split in ('train', 'test'))
    held = 'anna' if test[0].startswith('videos/a/clip_0') else 'bob'
    assert len({line.split()[0].split('_')[-1] for line in test}) == 1, 'both clips of one person'
    named = {line.split()[0] for line in train}
    assert ('videos/a/clip_3.mp4' in named) == (held == 'bob')
    assert ('videos/b_c/clip_3.mp4' in named) == (held == 'anna')
    assert {'videos/loose.MP4', 'videos/b_c/clip_4.mp4'} <= named


def test_a_class_is_one_line_whatever_its_folder_is_called(tmp_path):
    names = ['a', 'b\nc', 'd\u2028e']
    for seed, name in enumerate(names):
        make_video(tmp_path / 'in' / name / 'session' / 'clip.mp4', seed=seed)
    prepare_videos(tmp_path / 'in', tmp_path / 'out', labels_from_folders=True)
    assert lines(tmp_path / 'out' / 'classes.txt') == ['a', 'b c', 'd e']
    assert [line[-1] for line in lines(tmp_path / 'out' / 'train.txt')] == ['0', '1', '2']


def test_the_order_of_classes():
    assert class_order({'10', '9', '-1', '09'}) == ['-1', '09', '9', '10']
    assert class_order({'10', '9', 'jump'}) == ['10', '9', 'jump']


@pytest.mark.parametrize(
    ('content', 'message'),
    [
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


def test_a_table_is_there_stands_alone_and_labels_what_is_held_out(folder, tmp_path):
    table, out = tmp_path / 'labels.csv', tmp_path / 'out'
    with pytest.raises(DataError, match='labels.csv is missing'):
        prepare_videos(folder, out, labels=table)
    with pytest.raises(DataError, match='--labels or --labels-from-folders, not both'):
        prepare_videos(folder, out, labels=table, labels_from_folders=True)
    table.write_text('video,label\nloose.MP4,\n')
    with pytest.raises(DataError, match='no video of .* has a label'):
        prepare_videos(folder, out, labels=table, test_fraction=0.5)


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
    (folder.parent / 'link').symlink_to(folder)
    for source in (folder / 'a' / '..', folder.parent / 'link'):
        assert prepare_videos(source, out) == first


def test_own_videos_say_what_is_wrong(folder, tmp_path):
    for options in (dict(test_fraction=0.2), dict(test_fraction=1.0, labels_from_folders=True)):
        with pytest.raises(DataError, match='--test-fraction: .*, with --labels or'):
            prepare_videos(folder, tmp_path / 'out', **options)
    with pytest.raises(DataError, match='would both be called videos/a_b.mp4'):
        target_names([tmp_path / 'a b.mp4', tmp_path / 'a_b.mp4'], tmp_path)


@pytest.mark.parametrize('fraction', [0.01, 0.3, 0.99])
def test_hold_out_is_balanced_and_seeded(fraction):
    labels = np.repeat([0, 1, 2, 3], [50, 10, 2, 1])
    test = hold_out(labels, fraction, seed=3)
    np.testing.assert_array_equal(test, hold_out(labels, fraction, seed=3))
    for label, count in ((0, 50), (1, 10), (2, 2)):
        held = test[labels == label].sum()
        assert held == min(max(round(fraction * count), 1), count - 1)
    assert not test[labels == 3].any()


@pytest.mark.parametrize('fraction', [0.1, 0.25, 0.5, 0.75, 0.9])
def test_groups_are_held_out_in_the_share_that_is_asked_for(fraction):
    labels = np.tile(np.repeat([0, 1], 5), 20)
    groups = np.repeat([f'g{i}' for i in range(20)], 10)
    held = hold_out(labels, fraction, 0, groups)
    assert held.mean() == fraction
    assert not set(groups[held]) & set(groups[~held])


@pytest.fixture
def wanting(folder, monkeypatch):
    """The folder with links to a disk that is away, a pipe, and a folder that may not be read."""
    (folder / 'away.mp4').symlink_to('/disk/away.mp4')
    (folder / 'disk').symlink_to('/disk')
    (folder / '.#lock').symlink_to('nobody@nowhere')
    os.mkfifo(folder / 'pipe.mp4')
    (folder / 'secret').mkdir()
    make_video(folder / 'secret' / 'a.mp4')
    scan = os.scandir

    def refuse(path='.'):  # root may read everything
        if os.path.basename(path) == 'secret':
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scan(path)

    monkeypatch.setattr(os, 'scandir', refuse)
    return folder


LOST = {
    'away.mp4': 'links to /disk/away.mp4, which cannot be read (No such file or directory)',
    'disk': 'links to /disk, which cannot be read (No such file or directory)',
    'pipe.mp4': 'is not a file',
    'secret': 'cannot be read (Permission denied)',
}


def test_nothing_of_a_folder_vanishes(wanting, tmp_path, capsys):
    (wanting / 'a' / 'film.xyz').touch()
    assert prepare_videos(wanting, tmp_path / 'out') == {'train': 10, 'left_out': 1 + len(LOST)}
    told = dict(line.split('\t') for line in lines(tmp_path / 'out' / 'left_out.txt'))
    assert told.pop('b c/broken.mp4') and told == LOST
    assert 'files that are not read, by their suffix: 1 .txt, 1 .xyz' in capsys.readouterr().out
    clips = {clip.name: clip for clip in find_clips(wanting, 'video')}
    assert len(clips) == 11 + len(LOST)
    for name, reason in LOST.items():
        with pytest.raises(DataError, match=re.escape(f'{wanting / name}: {reason}')):
            clips[name].read()
    with pytest.raises(DataError, match=r'away\.mp4 links to .*make it readable, or take it away'):
        files_below(wanting)  # of a published set nothing may be missing


def test_a_folder_without_videos_says_what_it_holds(tmp_path):
    (tmp_path / 'in').mkdir()
    for name in ('a.txt', 'b.TXT', 'c.zip', 'd'):
        (tmp_path / 'in' / name).touch()
    with pytest.raises(DataError, match=r'by their suffix: 2 \.txt, 1 \.zip, 1 without a suffix\)'):
        prepare_videos(tmp_path / 'in', tmp_path / 'out')
