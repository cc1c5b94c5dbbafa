"""Test samples with whose labels a student was trained, found under other paths."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmact_ssl.evaluation import overlap
from mmact_ssl.evaluation.data import read_splits
from mmact_ssl.evaluation.overlap import warn_of_tests_read
from mmact_ssl.saved_run import SavedRun


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(overlap, 'print_log', lambda text, *_: said.append(text))
    return said


def joint(folder: Path, names: list[str], kind: str = 'video') -> SavedRun:
    """A checkpoint that was trained with labels of a list of a folder."""
    folder.mkdir(exist_ok=True)
    (folder / 'train.txt').write_text(''.join(f'{name} 0\n' for name in names))
    dataset = dict(ann_file=str(folder / 'train.txt'), data_prefix={kind: str(folder)})
    config = dict(
        dataset_name='another',
        model=dict(data_preprocessor=dict(targets=['sample.label'])),
        train_dataloader=dict(dataset=dataset),
    )
    path = folder.parent / 'joint.pth'
    torch.save({'state_dict': {}, 'meta': {'cfg': Config(config).pretty_text}}, path)
    return SavedRun.read(path)


def test_copies_of_test_videos_in_another_folder(linear_config, tmp_path, warned):
    train, test = read_splits(linear_config)
    other = tmp_path / 'other'
    (other / 'sub').mkdir(parents=True)
    for name in [*test.names[:2], train.names[0]]:
        shutil.copy(Path(test.root, name), other / 'sub' / Path(name).name)
    read = [f'sub/{Path(name).name}' for name in [*test.names[:2], train.names[0]]]
    warn_of_tests_read(joint(other, read), train, test)
    count = len(test.names)
    assert len(warned) == 1 and f'holds 2 of the {count} test clips of {test.ann_file}' in warned[0]
    assert f'such as {min(test.names[:2])}:' in warned[0]
    # Without labels, or where the list is gone, nothing is known.
    checkpoint = joint(other, read)
    (other / 'train.txt').write_text('\n'.join(read))
    warn_of_tests_read(checkpoint, train, test)
    (other / 'train.txt').unlink()
    warn_of_tests_read(checkpoint, train, test)
    assert len(warned) == 1


def test_names_and_sizes_that_repeat_by_chance(linear_config, tmp_path, warned):
    train, test = read_splits(linear_config)
    other = tmp_path / 'other'
    for name in test.names:
        path = other / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(Path(test.root, name).stat().st_size))
    warn_of_tests_read(joint(other, test.names), train, test)
    assert warned == []
    # Of two of one name and size, either may be the copy.
    copy = other / 'copies' / Path(test.names[0]).name
    copy.parent.mkdir()
    shutil.copy(Path(test.root, test.names[0]), copy)
    for lines in ([copy.relative_to(other).as_posix(), *test.names], [*test.names, str(copy)]):
        warn_of_tests_read(joint(other, lines), train, test)
        assert 'holds 1 of the ' in warned.pop()


def test_samples_of_the_own_training_list(linear_config, tmp_path, warned):
    """The splits of an evaluation are apart: a part of its training list needs no look."""
    train, test = read_splits(linear_config)
    shutil.copytree(test.root, tmp_path / 'other')
    warn_of_tests_read(joint(tmp_path / 'other', train.names[:3]), train, test)
    assert warned == []


def test_skeletons_of_other_names(skeleton_folder, skeleton_config, tmp_path, warned):
    train, test = read_splits(skeleton_config)
    other = tmp_path / 'other'
    shutil.copytree(skeleton_folder, other)
    with np.load(other / 'clips.npz') as clips:
        table = dict(clips)
    known = table['names'].tolist()
    table['names'] = np.array([f'{number:04d}' for number in range(len(known))])
    np.savez(other / 'clips.npz', **table)
    read = [f'{known.index(name):04d}' for name in [train.names[0], *test.names[:3]]]
    warn_of_tests_read(joint(other, read[:1], 'skeleton'), train, test)
    assert warned == []
    warn_of_tests_read(joint(other, read, 'skeleton'), train, test)
    assert len(warned) == 1 and f'holds 3 of the {len(test.names)} test clips' in warned[0]
    # A student of videos has no skeletons to compare with.
    warn_of_tests_read(joint(other, read, 'video'), train, test)
    assert len(warned) == 1


def test_frames_without_a_person_are_like_all_others(
    skeleton_folder, skeleton_config, tmp_path, warned
):
    train, test = read_splits(skeleton_config)
    other = tmp_path / 'other'
    shutil.copytree(skeleton_folder, other)
    coordinates = np.load(other / 'skeletons.npy')
    np.save(other / 'skeletons.npy', np.zeros_like(coordinates))
    empty = replace(test, root=str(other))
    warn_of_tests_read(joint(other, test.names, 'skeleton'), train, empty)
    assert warned == []


def test_a_fine_tuned_network_is_looked_at_in_an_evaluation(
    linear_config, finetune_config, student_checkpoint, tmp_path, run, warned
):
    finetune_config.train_cfg.max_epochs = 1
    finetune_config.finetune.min_iters_per_epoch = 0
    run(finetune_config, ['finetune'], student_checkpoint, work_dir=str(tmp_path / 'tuned'))
    tuned = tmp_path / 'tuned' / 'epoch_1.pth'
    run(linear_config, ['lda'], tuned)
    assert warned == []
    train, test = read_splits(linear_config)
    lists = [*train.lines()[3:], *test.lines()], train.lines()[:3]
    linear_config.dataset_name = 'renamed'
    for split, lines in zip(('train', 'test'), lists):
        dataset = linear_config[f'{split}_dataloader'].dataset
        dataset.ann_file = str(tmp_path / f'{split}.txt')
        Path(dataset.ann_file).write_text(''.join(lines))
    run(linear_config, ['lda'], tuned)
    assert len(warned) == 1 and 'labeled_samples.txt, which holds 3 of the 3' in warned[0]


def test_a_list_that_is_not_a_file_is_not_opened(linear_config, tmp_path, warned):
    """The checkpoint names it: a pipe, as a device, would be waited for without end."""
    checkpoint = joint(tmp_path / 'other', [])
    (tmp_path / 'other' / 'train.txt').unlink()
    os.mkfifo(tmp_path / 'other' / 'train.txt')
    warn_of_tests_read(checkpoint, *read_splits(linear_config))
    assert not warned
