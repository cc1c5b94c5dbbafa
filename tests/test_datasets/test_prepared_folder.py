"""Descriptions of prepared folders, and the test split of one that has none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.registry import init_default_scope

from mmact_ssl.datasets.prepared_folder import (
    FOLDER_VARIABLE,
    describe_folder,
    hold_out,
    make_lists,
    read_groups,
    sided_classes,
    write_groups,
)
from mmact_ssl.engine.config_reading import read_config
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.io.files import read_annotation
from mmact_ssl.preparation.files import write_flip
from mmact_ssl.registry import DATASETS


def write_list(folder: Path, name: str, lines: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text('\n'.join(lines))


def test_a_folder_of_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_list(tmp_path / 'mine', 'train.txt', ['a b.mp4 0', 'c.mp4 2'])
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / 'mine'))
    found = describe_folder()
    assert (found['name'], found['num_train'], found['num_classes']) == ('mine', 2, 3)
    assert found['train'] == str(tmp_path / 'mine/train.txt')
    assert found['groups'] is None
    write_list(tmp_path / 'mine', 'train.txt', ['a b.mp4'])
    assert describe_folder()['num_classes'] == 0


def test_a_validation_list_serves_where_there_is_no_test_list(tmp_path: Path):
    write_list(tmp_path, 'train.txt', ['a.mp4 0'])
    write_list(tmp_path, 'val.txt', ['b.mp4 0'])
    assert Path(describe_folder(str(tmp_path))['test']).name == 'val.txt'
    write_list(tmp_path, 'test.txt', ['c.mp4 0'])
    assert Path(describe_folder(str(tmp_path))['test']).name == 'test.txt'


def test_a_folder_of_skeletons(skeleton_folder: Path):
    found = describe_folder(str(skeleton_folder))
    assert Path(found['train']).name == 'xview_train.txt'
    assert Path(found['test']).name == 'xview_test.txt'
    shape = [found[key] for key in ('layout', 'num_persons', 'num_coordinates', 'num_train')]
    assert shape == ['kinect20', 1, 3, 12]
    assert found['num_classes'] == 3
    assert 5 <= found['num_frames'] <= 12


@pytest.mark.parametrize(
    ('names', 'is_sided'),
    [
        ('raise left arm|raise right arm', True),
        ('swipeLeft|wave|swipeRight', True),
        ('arm_l|armR', True),
        ('from left to right|from right to left', True),
        ('turn_clockwise|turnCounterClockwise', True),
        ('left arm|left leg|right foot', False),
        ('left-arm|left arm|LOCK|ROCK|1|2|a+b|a-b|', False),
    ],
)
def test_classes_that_differ_by_side_are_not_mirrored(names, is_sided, tmp_path, capsys):
    assert bool(sided_classes(names.split('|'))) is is_sided
    write_list(tmp_path, 'train.txt', ['a.mp4 0'])
    write_list(tmp_path, 'classes.txt', names.split('|'))
    for flip, is_off in (None, is_sided), (True, False), (False, True), (None, is_sided):
        write_flip(tmp_path, flip)
        assert ('not mirrored' in describe_folder(str(tmp_path))['no_flip']) is is_off
        assert capsys.readouterr().out.count('\n') == is_off


def test_what_is_missing_is_one_line_with_a_command(tmp_path, monkeypatch):
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    with pytest.raises(ConfigError, match='give --data DIR'):
        describe_folder()
    with pytest.raises(DataError, match='mmact-ssl prepare videos --source DIR --out'):
        describe_folder(str(tmp_path / 'nothing'))
    with pytest.raises(DataError, match=r'train.txt is missing: run `mmact-ssl prepare'):
        describe_folder(str(tmp_path))


@pytest.mark.parametrize(
    ('config', 'option'),
    [('dtg_tsm-lite0.py', '--test-fraction'), ('ms2l-twoview_gru.py', '--train-subjects')],
)
def test_a_missing_test_list_is_made_by_the_quoted_command(
    config: str, option: str, tmp_path: Path, skeleton_folder: Path
):
    if option == '--test-fraction':
        folder = tmp_path / 'mine'
        write_list(folder, 'train.txt', ['a.mp4 0'])
    else:
        folder = skeleton_folder
        (folder / 'xview_test.txt').unlink()
    cfg = read_config(f'configs/{config}', data=str(folder))
    assert option not in cfg.train_dataloader.dataset.prepare_command
    init_default_scope('mmact_ssl')
    with pytest.raises(DataError, match=f'test.txt is missing: .*--out {folder} .*{option} '):
        DATASETS.build(cfg.test_dataloader.dataset)


def test_samples_without_a_label_are_left_out(tmp_path: Path):
    write_list(tmp_path, 'train.txt', ['a.mp4', 'b.mp4 1', 'c.mp4 0', 'd.mp4'])
    write_list(tmp_path, 'test.txt', ['e.mp4 1', 'f.mp4'])
    folder = describe_folder(str(tmp_path))
    said = make_lists(folder)
    assert ['2 of 4 samples' in said[0], '1 of 2 samples' in said[1]] == [True, True]
    assert read_annotation(folder['train'], '') == (['b.mp4', 'c.mp4'], [1, 0])
    assert read_annotation(folder['test'], '') == (['e.mp4'], [1])
    # Pre-training still reads all of them, and evaluation says the same again.
    again = describe_folder(str(tmp_path))
    assert again['num_train'] == 4 and make_lists(again) == said


def test_lists_with_labels_alone_or_without_any_stay(tmp_path: Path):
    write_list(tmp_path, 'train.txt', ['a.mp4 0', 'b.mp4 1'])
    write_list(tmp_path, 'test.txt', ['c.mp4 0'])
    folder = describe_folder(str(tmp_path))
    assert make_lists(folder) == [] and folder == describe_folder(str(tmp_path))
    write_list(tmp_path, 'train.txt', ['a.mp4', 'b.mp4 1'])
    write_list(tmp_path, 'test.txt', ['c.mp4'])
    with pytest.raises(DataError, match='test.txt: no sample has a label; .* --labels TABLE'):
        make_lists(folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['test.txt', 'train.txt']
    assert make_lists(folder, ['train']) and folder['test'].endswith('/test.txt')


def test_clips_are_held_out_and_it_is_said(tmp_path: Path):
    write_list(tmp_path, 'train.txt', ['x.mp4', *(f'{i}.mp4 {i % 2}' for i in range(14))])
    folder = describe_folder(str(tmp_path))
    unlabeled, held = make_lists(folder)
    assert '1 of 15 samples have no label' in unlabeled and '8 of 14 samples are held out' in held
    train, test = read_annotation(folder['train'], ''), read_annotation(folder['test'], '')
    assert sorted(train[0] + test[0]) == sorted(f'{i}.mp4' for i in range(14))
    assert sorted(test[1]) == [0] * 4 + [1] * 4
    again = describe_folder(str(tmp_path))
    make_lists(again)
    assert read_annotation(again['test'], '') == test


def test_groups_stay_whole(tmp_path: Path):
    names = [f'{label}_{subject}_{i}' for label in 'ab' for subject in range(4) for i in range(3)]
    write_list(tmp_path, 'train.txt', [f'{name} {"ab".index(name[0])}' for name in names])
    write_groups(tmp_path, {name: name.split('_')[1] for name in names})
    folder = describe_folder(str(tmp_path))
    make_lists(folder)
    sides = [
        set(read_groups(folder['groups'], read_annotation(folder[k], '')[0]).tolist())
        for k in ('train', 'test')
    ]
    assert not sides[0] & sides[1] and len(sides[1]) == 2


@pytest.mark.parametrize('groups', [None, ['a', 'a', 'b', 'b']])
def test_what_cannot_be_held_out_is_an_error(groups):
    labels = np.arange(4) if groups is None else np.array([0, 0, 1, 1])
    with pytest.raises(DataError, match='without taking a class from the training: label more'):
        hold_out(labels, 0.25, groups=groups)


def test_groups_that_hold_nothing_together_are_not_written(tmp_path: Path):
    write_groups(tmp_path, {'a': '1', 'b': '2'})
    assert not list(tmp_path.iterdir())
    write_groups(tmp_path, {'a': '1', 'b': '1'})
    assert read_groups(tmp_path / 'groups.json', ['a', 'c', 'b', 'd']).tolist().count('1') == 2
    assert len(set(read_groups(tmp_path / 'groups.json', ['c', 'd']))) == 2


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=2, max_size=30),
    st.booleans(),
)
def test_no_class_is_lost_from_training(samples: list[tuple[int, int]], grouped: bool):
    labels = np.array([label for label, _ in samples])
    groups = np.array([str(group) for _, group in samples]) if grouped else None
    try:
        held = hold_out(labels, 0.25, 0, groups)
    except DataError:
        return
    assert held.any() and set(labels[~held]) == set(labels)
    if groups is not None:
        assert not set(groups[held]) & set(groups[~held])
