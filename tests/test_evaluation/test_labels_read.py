"""Labels that a student has read: noted by fine-tuning, compared with what is drawn, and found in
the test list under other paths.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from safetensors.torch import save_file

from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.evaluation import labels_read
from mmact_ssl.evaluation.data import read_splits
from mmact_ssl.evaluation.evaluate import check_request
from mmact_ssl.evaluation.labels_read import (
    check_labels_read,
    check_training_list,
    note_labels,
    records_of,
    warn_of_other_set,
    warn_of_tests_read,
)
from mmact_ssl.evaluation.protocols.base import Encoder, Request
from mmact_ssl.saved_run import LabelsRead, SavedRun
from mmact_ssl.shipped_configs import SETS, read_set
from tools import publish_model

JOINT = """
dataset_name = 'mine'
model = dict(data_preprocessor=dict(targets={'sample.label': None}))
train_dataloader = dict(dataset=dict(label_fraction=0.2, label_seed=3))
"""


def save(path, config: str) -> SavedRun:
    torch.save({'state_dict': {}, 'meta': {'cfg': config}}, path)
    return SavedRun.read(path)


def test_a_fine_tuned_network_knows_its_labels(
    linear_config, finetune_config, student_checkpoint, tmp_path, run
):
    finetune_config.train_cfg.max_epochs = 1
    finetune_config.finetune.min_iters_per_epoch = 0
    tuned = {}
    for fraction in (0.5, 1.0):
        folder = tmp_path / str(fraction)
        options = dict(label_fraction=fraction, seed=3, work_dir=str(folder))
        run(finetune_config, ['finetune'], student_checkpoint, **options)
        tuned[fraction] = folder / 'epoch_1.pth'
    assert SavedRun.read(student_checkpoint).labels_read is None

    for options in (dict(label_fraction=0.5, seed=3), dict(seed=0)):
        assert run(linear_config, ['lda'], tuned[0.5], **options)
    for checkpoint, seed, joined, told in (
        (tuned[0.5], 4, (), r'--label-fraction 0\.5 --seed 3, or'),
        (tuned[1.0], 3, (), '--label-fraction 1, or'),
        (student_checkpoint, 3, (tuned[1.0],), '--label-fraction 1, or'),
    ):
        students = map(SavedRun.read, (checkpoint, *joined))
        encoders = tuple(Encoder(linear_config, student) for student in students)
        with pytest.raises(ConfigError, match=f'labels of made that are not drawn here.*{told}'):
            # As tools/evaluate.py does for all seeds before the first one.
            check_request(Request(encoders, label_fraction=0.5, seed=seed), ['knn'])
    for checkpoint in tuned.values():
        with pytest.raises(ConfigError, match='was trained with labels of made, so its features'):
            run(linear_config, ['fewshot'], checkpoint)
    # Draws no labels.
    assert run(linear_config, ['retrieval'], tuned[0.5], seed=4)

    # Of another list test clips may have been among those of the training.
    train, _ = read_splits(linear_config)
    dataset = linear_config.train_dataloader.dataset
    shorter = tmp_path / 'shorter.txt'
    shorter.write_text(''.join(train.lines()[1:]))
    dataset.ann_file = str(shorter)
    with pytest.raises(ConfigError, match='another training list of made'):
        run(linear_config, ['lda'], tuned[1.0])


@pytest.mark.parametrize(
    'fraction, seed, fits',
    [(0.2, 3, True), (0.5, 3, True), (1.0, 0, True), (0.1, 3, False), (0.5, 0, False)],
)
def test_a_larger_share_of_the_same_draw_knows_no_more(
    linear_config, tmp_path, fraction, seed, fits
):
    joint = save(tmp_path / 'joint.pth', JOINT)
    assert joint.labels_read == LabelsRead('mine', 0.2, 3)
    tuned = Config(dict(dataset_name='mine'))
    note_labels(tuned, 0.2, 3, ['a', 'b'])
    finetuned = save(tmp_path / 'tuned.pth', tuned.pretty_text)
    for checkpoint in (joint, finetuned):
        check_training_list(checkpoint, 'mine', ['b', 'a'])
        check_training_list(checkpoint, 'another', ['c'])
        check_labels_read(checkpoint, linear_config, fraction, seed)
        if fits:
            check_labels_read(checkpoint, Config(dict(dataset_name='mine')), fraction, seed)
        else:
            with pytest.raises(ConfigError, match=r'give --label-fraction 0\.2 --seed 3, or'):
                check_labels_read(checkpoint, Config(dict(dataset_name='mine')), fraction, seed)


def test_a_training_list_is_known_under_another_name_of_the_data_set(linear_config, tmp_path):
    """As that of NW-UCLA's unseen test clips, where the training clips are the same."""
    names = read_splits(linear_config)[0].names
    for dataset, list_read, refused in (
        ('made', [], True),
        ('other', names, True),
        ('other', names[1:], False),
    ):
        tuned = Config(dict(dataset_name=dataset))
        note_labels(tuned, 1.0, 0, list_read)
        checkpoint = save(tmp_path / 'tuned.pth', tuned.pretty_text)
        if refused:
            with pytest.raises(ConfigError, match=f'labels of {dataset} that are not drawn here'):
                check_labels_read(checkpoint, linear_config, 0.5, 0)
        else:
            check_labels_read(checkpoint, linear_config, 0.5, 0)
    # A joint training on a folder of one's own knows the list of that.
    tuned = Config(dict(dataset_name='other'))
    note_labels(tuned, 1.0, 0, names)
    folder = f"own_folder = dict(train_hash='{tuned.labels_read.train_hash}')"
    joint = save(tmp_path / 'joint.pth', JOINT + folder)
    with pytest.raises(ConfigError, match='labels of mine that are not drawn here'):
        check_labels_read(joint, linear_config, 0.1, 3)


def test_a_joint_training_of_another_set_with_the_same_training_list(tmp_path, monkeypatch):
    """Its record has no list, and the data are not there: NW-UCLA's unseen clips among others."""
    monkeypatch.setenv('MMACT_SSL_DATA', str(tmp_path))
    names = (path.stem for path in SETS.glob('*.py') if not path.stem.startswith('folder'))
    sets = [read_set(name) for name in names]
    lists = {table['dataset_name']: table['train_set']['ann_file'] for table in sets}
    pairs = [pair for pair in permutations(lists, 2) if lists[pair[0]] == lists[pair[1]]]
    assert ('nwucla', 'nwucla-unseen') in pairs
    for trained, evaluated in pairs:
        joint = save(tmp_path / 'joint.pth', JOINT.replace('mine', trained))
        loader = dict(dataset=dict(ann_file=lists[evaluated]))
        cfg = Config(dict(dataset_name=evaluated, train_dataloader=loader))
        assert records_of(joint, cfg)
        with pytest.raises(ConfigError, match=f'labels of {trained} that are not drawn here'):
            check_labels_read(joint, cfg, 0.1, 3)
        check_labels_read(joint, cfg, 0.2, 3)


def test_a_student_of_another_set_is_named(tmp_path, monkeypatch):
    told: list[str] = []
    monkeypatch.setattr(labels_read, 'print_log', lambda text, *args: told.append(text))
    for trained, evaluated, is_other in (
        ('nwucla', 'utdmhad-skeleton', True),
        ('videos', 'nwucla', True),
        ('nwucla', 'nwucla', False),
        ('nwucla', 'nwucla-unseen', False),  # the training clips are the same
        ('', 'nwucla', False),
    ):
        told.clear()
        table = read_set(evaluated)
        loader = dict(dataset=dict(ann_file=table['train_set']['ann_file']))
        cfg = Config(dict(dataset_name=table['dataset_name'], train_dataloader=loader))
        student = save(tmp_path / 'x.pth', f'dataset_name = {trained!r}')
        warn_of_other_set(student, cfg)
        assert [f'--pretrained-on {trained} ' in text for text in told] == [True] * is_other


def test_a_joint_training_is_known_by_the_list_of_its_config(linear_config, tmp_path):
    """As of early checkpoints. Samples without a label teach none."""
    lines = read_splits(linear_config)[0].lines()
    ann_file = tmp_path / 'list.txt'
    config = JOINT.replace('label_seed=3', f'label_seed=3, ann_file={str(ann_file)!r}')
    for content, known in ((lines, True), ([*lines, 'more.mp4\n'], True), (lines[1:], False)):
        ann_file.write_text(''.join(content))
        assert bool(records_of(save(tmp_path / 'joint.pth', config), linear_config)) == known


def test_labels_that_counted_for_other_clips_are_drawn_the_same_way(tmp_path):
    pattern = r'(.+)_v\d+$'
    tuned = Config(dict(dataset_name='mine', shared_label_pattern=pattern))
    note_labels(tuned, 0.2, 3, ['a'])
    loader = f'label_fraction=0.2, label_seed=3, performance_pattern={pattern!r}'
    joint = JOINT.replace('label_fraction=0.2, label_seed=3', loader)
    for name, config in (('tuned.pth', tuned.pretty_text), ('joint.pth', joint)):
        checkpoint = save(tmp_path / name, config)
        shared = Config(dict(dataset_name='mine', shared_label_pattern=pattern))
        check_labels_read(checkpoint, shared, 0.2, 3)
        with pytest.raises(
            ConfigError, match=r"--seed 3 --cfg-options 'shared_label_pattern=\(\.\+"
        ):
            check_labels_read(checkpoint, Config(dict(dataset_name='mine')), 0.2, 3)


def test_a_published_network_knows_its_labels_too(
    linear_config, finetune_config, student_checkpoint, tmp_path, run
):
    finetune_config.train_cfg.max_epochs = 1
    finetune_config.finetune.min_iters_per_epoch = 0
    weights = torch.load(student_checkpoint)['state_dict']
    torch.save(dict(state_dict=weights, meta=dict(cfg=JOINT)), student_checkpoint)
    run(finetune_config, ['finetune'], student_checkpoint, work_dir=str(tmp_path / 'run'))
    downstream = tmp_path / 'downstream.py'
    linear_config.dump(str(downstream))
    tuned, output = str(tmp_path / 'run' / 'epoch_1.pth'), str(tmp_path / 'tuned')
    publish_model.main([tuned, output, '--downstream', str(downstream)])
    publish_model.main([tuned, output, '--format', 'pth'])
    for pattern in ('tuned-*.safetensors', 'tuned-*.pth'):
        (published,) = map(str, tmp_path.glob(pattern))
        assert SavedRun.read(published).labels_read == SavedRun.read(tuned).labels_read is not None
        with pytest.raises(ConfigError, match='labels of made that are not drawn here'):
            run(linear_config, ['knn'], published, label_fraction=0.5)
        of_start = Config({**linear_config.to_dict(), 'dataset_name': 'mine'})
        with pytest.raises(ConfigError, match='labels of (made|mine) that are not drawn here'):
            check_labels_read(SavedRun.read(published), of_start, 0.1, 3)
        assert [read.dataset for read in SavedRun.read(published).labels_read.records] == [
            'made',
            'mine',
        ]


@pytest.mark.parametrize('note', ['dict(share=1)', "dict(dataset='a', fraction='most', seed=0)"])
def test_a_damaged_note_of_labels_is_one_line(tmp_path, note):
    student = save(tmp_path / 'bad.pth', f'labels_read = {note}')
    with pytest.raises(CheckpointError, match=r'bad\.pth: .*: download it again'):
        assert student.labels_read


def test_weights_of_another_project_say_of_no_labels(tmp_path):
    """A .safetensors file without a card can be evaluated by a config."""
    save_file({'backbone.weight': torch.zeros(1)}, tmp_path / 'plain.safetensors')
    torch.save({'backbone.weight': torch.zeros(1)}, tmp_path / 'plain.pth')
    for name in ('plain.safetensors', 'plain.pth'):
        assert SavedRun.read(tmp_path / name).labels_read is None


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(labels_read, 'print_log', lambda text, *_: said.append(text))
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


def test_a_list_that_was_read_without_its_labels(linear_config, tmp_path, warned):
    """Only the starting weights have read labels, of another list."""
    train, test = read_splits(linear_config)
    shutil.copytree(test.root, tmp_path / 'other')
    path = joint(tmp_path / 'other', test.names).path
    content = torch.load(path)
    note = asdict(LabelsRead('elsewhere', 1.0, 0))
    unlabeled = content['meta']['cfg'].replace('sample.label', 'x')
    content['meta']['cfg'] = f'{unlabeled}\nlabels_read = {note!r}'
    torch.save(content, path)
    assert SavedRun.read(path).labels_read == LabelsRead('elsewhere', 1.0, 0)
    warn_of_tests_read(SavedRun.read(path), train, test)
    assert warned == []


def test_a_list_that_is_not_a_file_is_not_opened(linear_config, tmp_path, warned):
    """The checkpoint names it: a pipe, as a device, would be waited for without end."""
    checkpoint = joint(tmp_path / 'other', [])
    (tmp_path / 'other' / 'train.txt').unlink()
    os.mkfifo(tmp_path / 'other' / 'train.txt')
    warn_of_tests_read(checkpoint, *read_splits(linear_config))
    assert not warned
