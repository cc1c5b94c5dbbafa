"""Reading and checking labeled splits, and drawing a part of the labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.evaluation.data import (
    Split,
    class_names,
    read_split,
    read_splits,
    sample_groups,
    share_labels,
)


@pytest.mark.parametrize(
    'content, message',
    [
        ('', 'is empty: do this'),
        ('a.mp4\n', "'a.mp4' has no label; do this"),
        ('a.mp4 0\nb.mp4 1\n./a.mp4 0\n', "'a.mp4' stands in 2 lines .3 lines name 2 .*do this"),
        ('a.mp4 0\nb.mp4 1\n', r'b\.mp4: no such video \(1 of 2 .*do this'),
        ('gone.mp4 0\n', r'gone\.mp4: links to /gone, which is gone: .* \(1 of 1 .*do this'),
    ],
)
def test_what_is_missing_is_named_with_the_fix(tmp_path, content, message):
    (tmp_path / 'a.mp4').touch()
    (tmp_path / 'gone.mp4').symlink_to('/gone')
    (tmp_path / 'train.txt').write_text(content)
    dataset = dict(ann_file=str(tmp_path / 'train.txt'), data_prefix=dict(video=str(tmp_path)))
    with pytest.raises(DataError, match=message):
        read_split(dataset, 'do this')


@pytest.mark.parametrize(
    ('num_classes', 'said'), [(2, 'label 2.*num_classes=2'), (4, '1 of 4 classes.*no labeled')]
)
def test_a_class_mismatch_is_refused(linear_config, num_classes, said):
    linear_config.model.cls_head.num_classes = num_classes
    with pytest.raises(ConfigError, match=said):
        read_splits(linear_config)


def test_one_class_is_refused(linear_config, tmp_path):
    lines = Path(linear_config.train_dataloader.dataset.ann_file).read_text().splitlines()
    (tmp_path / 'one.txt').write_text('\n'.join(line for line in lines if line.endswith(' 0')))
    linear_config.train_dataloader.dataset.ann_file = str(tmp_path / 'one.txt')
    with pytest.raises(ConfigError, match=r'one\.txt: has one class, and an evaluation needs two'):
        read_splits(linear_config)


@pytest.mark.parametrize(('folder', 'name'), [('videos', './a.mp4'), ('link', 'a.mp4')])
def test_overlap_is_found_however_paths_are_written(tmp_path, linear_config, folder, name):
    (tmp_path / 'videos').mkdir()
    (tmp_path / 'link').symlink_to('videos')
    for video in 'abcd':
        (tmp_path / f'videos/{video}.mp4').touch()
    (tmp_path / 'train.txt').write_text('a.mp4 0\nb.mp4 1\nc.mp4 2\n')
    (tmp_path / 'test.txt').write_text(f'{name} 0\nd.mp4 1\n')
    for split, root in (('train', 'videos'), ('test', folder)):
        dataset = linear_config[f'{split}_dataloader'].dataset
        dataset.ann_file = str(tmp_path / f'{split}.txt')
        dataset.data_prefix = dict(video=str(tmp_path / root))
    with pytest.raises(ConfigError, match='1 samples are also in .*videos/a.mp4'):
        read_splits(linear_config)


def test_classes_have_names_or_numbers(tmp_path):
    split = Split(str(tmp_path / 'train.txt'), '', ['a.mp4'], np.array([0]))
    assert class_names(split, 2) == ['0', '1']
    (tmp_path / 'classes.txt').write_text('\ufeffstand up\nwave\n')
    assert class_names(split, 2) == ['stand up', 'wave']
    with pytest.raises(DataError, match=r'classes\.txt: 2 lines for 3 classes'):
        class_names(split, 3)


def test_skeletons_need_no_file_a_clip(skeleton_folder):
    dataset = dict(
        ann_file=str(skeleton_folder / 'xview_test.txt'),
        data_prefix=dict(skeleton=str(skeleton_folder)),
    )
    split = read_split(dataset, 'do this')
    assert split.names == ['a00_v3_0', 'a00_v3_1', 'a01_v3_0', 'a01_v3_1', 'a02_v3_0', 'a02_v3_1']
    assert split.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert class_names(split, 3) == ['carry', 'sit down', 'wave']
    (skeleton_folder / 'xview_test.txt').write_text('a00_v3_0 0\nother 1\n')
    with pytest.raises(DataError, match=r'other: no such skeleton clip \(1 of 2.*do this'):
        read_split(dataset, 'do this')
    (skeleton_folder / 'clips.npz').write_bytes(b'PK')
    with pytest.raises(DataError, match='do this'):
        read_split(dataset, 'do this')


def test_labels_that_are_not_those_of_the_skeleton_folder_are_refused(skeleton_config):
    path = Path(skeleton_config.test_dataloader.dataset.ann_file)
    names = [line.split()[0] for line in path.read_text().splitlines()]
    path.write_text(''.join(f'{name} {2 - int(name[2])}\n' for name in names))
    message = r"'a00_v3_0' has the label 2, and 0 in .*clips\.npz \(4 of 6 labels differ\): write"
    with pytest.raises(DataError, match=message):
        read_splits(skeleton_config)
    # A clip without a label in the folder may have one in the list.
    clips = path.with_name('clips.npz')
    with np.load(clips) as table:
        np.savez(clips, **{**table, 'labels': np.full_like(table['labels'], -1)})
    assert read_splits(skeleton_config)[1].labels.tolist() == [2, 2, 1, 1, 0, 0]


def test_lists_with_other_classes_are_refused(linear_config, tmp_path):
    for split, classes in (('train', 'run\nsit\nwave\n'), ('test', 'run\nwave\nsit\n')):
        dataset = linear_config[f'{split}_dataloader'].dataset
        text = Path(dataset.ann_file).read_text()
        (tmp_path / split).mkdir()
        dataset.ann_file = str(tmp_path / split / 'list.txt')
        Path(dataset.ann_file).write_text(text)
        (tmp_path / split / 'classes.txt').write_text(classes)
    with pytest.raises(ConfigError, match=r"test/classes\.txt: line 2 is 'wave', and 'sit' in "):
        read_splits(linear_config)
    (tmp_path / 'train/classes.txt').unlink()
    read_splits(linear_config)


def test_groups_come_from_the_names():
    assert sample_groups(['a_s1_', 'b_s12_'], r'_s(\d+)_').tolist() == ['1', '12']
    assert sample_groups(['a'], None) is None
    # Runs of a numbered series: 9, 10, 11 and 14 of walk, in whatever order; 15 of run.
    names = ['walk_011', 'run_015', 'walk_009', 'walk_014', 'walk_010', 'walk_010']
    runs = sample_groups(names, r'(\w+)_(\d+)')
    assert runs[[0, 2, 4, 5]].tolist() == [runs[0]] * 4
    assert len(set(runs)) == 3
    with pytest.raises(ConfigError, match="'b'"):
        sample_groups(['a_s1_', 'b'], r'_s(\d+)_')
    for pattern in ('_s', '(', ['_(s', '1']):
        with pytest.raises(ConfigError, match='group_pattern .* with a group'):
            sample_groups(['a_s1_'], pattern)
    for pattern, found in ((r'(\w)_(\w)', "'s'"), (r'(\w)_(\d)?', None)):
        with pytest.raises(ConfigError, match=f"finds {found} in 'a_s1_', not a number"):
            sample_groups(['a_s1_'], pattern)


CAMERAS = r'(.+)_v\d+$'


@given(st.data())
def test_a_label_counts_for_the_clips_of_its_performance_and_for_no_others(data):
    shown = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=12))
    names = [f'p{performance}_v{index}' for index, performance in enumerate(shown)]
    train = Split('train.txt', '', names, np.array(shown) % 3)
    labeled = np.array(sorted(data.draw(st.sets(st.sampled_from(range(len(shown)))))), dtype=int)
    found = share_labels(train, labeled, CAMERAS).tolist()
    known = {shown[i] for i in labeled}
    assert found == [i for i, performance in enumerate(shown) if performance in known]
    assert share_labels(train, labeled, None) is labeled


def test_what_cannot_share_labels_is_refused():
    train = Split('train.txt', '', ['a_v1', 'a_v2', 'b'], np.array([0, 1, 0]))
    with pytest.raises(DataError, match=r'a_v1 and samples that share.*labels \[0, 1\]'):
        share_labels(
            Split('train.txt', '', train.names[:2], train.labels[:2]), np.array([1]), CAMERAS
        )
    with pytest.raises(ConfigError, match="does not match 'b'"):
        share_labels(train, np.array([0]), CAMERAS)
    with pytest.raises(ConfigError, match='with a group'):
        share_labels(train, np.array([0]), 'v')
    with pytest.raises(ConfigError, match='with a group'):
        share_labels(train, np.array([0]), [r'(.+)_v\d{1', '2}'])
