"""PretextVideoDataset: early errors, replacement of broken videos, repeatable randomness."""

from __future__ import annotations

import os
import random
import shutil

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate, worker_init_fn
from torch.utils.data import DataLoader

from mmact_ssl.datasets.label_subset import label_subset
from mmact_ssl.errors import BrokenSampleError, DataError
from mmact_ssl.registry import DATASETS
from mmact_ssl.targets.cache import TargetCacheError, TargetMeta, TargetWriter

AUGMENT = [
    {'type': 'mmaction.RandomResizedCrop', 'area_range': (0.2, 1.0)},
    {'type': 'mmaction.Resize', 'scale': (32, 32), 'keep_ratio': False},
    {'type': 'HorizontalFlip', 'layout': 'coco17'},
    {'type': 'mmaction.TorchVisionWrapper', 'op': 'ColorJitter', 'hue': 0.14},
]
VIEWS = ('clip', 'future', 'keyframes')
PIPELINE = [
    {
        'type': 'SampleViews',
        'clip': {'num_frames': 4, 'stride': 2},
        'future': {'num_frames': 4, 'stride': 2},
        'keyframes': {'num_frames': 2},
    },
    {'type': 'DecodeViews', 'short_side': 48},
    {'type': 'TransformViews', 'views': ('clip', 'future'), 'transforms': AUGMENT},
    {'type': 'TransformViews', 'views': ('keyframes',), 'transforms': AUGMENT},
    {'type': 'PackInputs', 'views': VIEWS},
]


@pytest.fixture(scope='module')
def folder(tmp_path_factory, make_video):
    """Three whole videos, and a broken one of each kind."""
    folder = tmp_path_factory.mktemp('data')
    for name in 'abc':
        make_video(folder / f'{name}.mp4')
    whole = (folder / 'a.mp4').read_bytes()
    (folder / 'cut.mp4').write_bytes(whole[: len(whole) // 2])
    (folder / 'text.mp4').write_text('no video')
    make_video(folder / 'no_frames.mp4', num_frames=0)
    make_video(folder / 'one_frame.mp4', num_frames=1)
    return folder


def build(folder, lines, **options):
    annotation = folder / 'list.txt'
    annotation.write_text('\n'.join(lines))
    options = {'pipeline': PIPELINE, 'data_prefix': {'video': str(folder)}, **options}
    return DATASETS.build({'type': 'PretextVideoDataset', 'ann_file': str(annotation), **options})


def test_samples(folder):
    dataset = build(folder, ['a.mp4 2', '', 'b.mp4'])
    assert len(dataset) == 2
    sample = dataset[0]
    assert {view: tuple(x.shape) for view, x in sample['inputs'].items()} == {
        'clip': (3, 4, 32, 32),
        'future': (3, 4, 32, 32),
        'keyframes': (3, 2, 32, 32),
    }
    assert sample['data_samples'].gt_label.tolist() == [2]
    assert sample['data_samples'].filename == str(folder / 'a.mp4')
    assert sample['data_samples'].replaced == ''
    assert 'gt_label' not in dataset[1]['data_samples']
    assert dataset[-1]['data_samples'].filename == str(folder / 'b.mp4')


@pytest.mark.parametrize(
    ('lines', 'options', 'message'),
    [
        (
            ['a.mp4', 'gone.mp4 1'],
            {},
            r'1 of 2 .* are missing, .*gone\.mp4: .*skip_missing=True of the data set$',
        ),
        (['x/a.mp4'], {'skip_missing': True}, r'1 of 1 videos of .* are missing'),
        (['a.mp4'], {'data_prefix': {'video': '/no/such'}}, 'video folder /no/such is missing'),
    ],
)
def test_what_is_missing_is_named_at_once(folder, lines, options, message):
    with pytest.raises(DataError, match=message) as error:
        build(folder, lines, prepare_command='mmact-ssl prepare x', **options)
    assert 'run `mmact-ssl prepare x`' in str(error.value)
    assert '\n' not in str(error.value)


def test_the_labels_are_those_that_evaluation_draws(folder):
    """It draws by the names in the annotation file, the data set by paths."""
    names = [f'{name}.mp4' for name in 'cabcab']
    dataset = build(folder, [f'{name} {i % 2}' for i, name in enumerate(names)], label_fraction=0.4)
    kept = [i for i in range(len(dataset)) if dataset.get_data_info(i)['label'] >= 0]
    assert kept == label_subset(names, np.arange(6) % 2, 0.4, 0).tolist()


@pytest.mark.parametrize('broken', ['cut.mp4', 'text.mp4', 'no_frames.mp4', 'one_frame.mp4'])
def test_a_broken_video_is_replaced_and_noted(folder, broken):
    dataset = build(folder, ['a.mp4 0', f'{broken} 1', 'b.mp4 2'])
    names = set()
    for epoch in range(8):
        dataset.set_progress(0, epoch)
        sample = dataset[1]['data_samples']
        assert broken in sample.replaced and ': ' in sample.replaced
        assert dataset[1]['data_samples'].filename == sample.filename  # drawn the same again
        names.add(os.path.basename(sample.filename))
    assert names == {'a.mp4', 'b.mp4'}
    with pytest.raises(BrokenSampleError, match=broken):
        build(folder, ['a.mp4', broken], test_mode=True)[1]


def equal(one, other):
    return all(torch.equal(one['inputs'][view], other['inputs'][view]) for view in VIEWS)


def test_a_sample_depends_on_seed_epoch_and_index_alone(folder):
    lines = ['a.mp4', 'a.mp4', 'cut.mp4', 'b.mp4']
    dataset = build(folder, lines)
    samples = {}
    for seed, epoch in ((0, 0), (0, 1), (1, 0)):
        dataset.set_progress(seed, epoch)
        for index in range(4):
            samples[seed, epoch, index] = dataset[index]
            random.random(), np.random.rand(), torch.rand(1)
    again = build(folder, lines)
    for (seed, epoch, index), sample in reversed(samples.items()):
        again.set_progress(seed, epoch)
        assert equal(again[index], sample)
    for index in (0, 1, 3):
        assert not equal(samples[0, 0, index], samples[0, 1, index])
        assert not equal(samples[0, 0, index], samples[1, 0, index])
    assert not equal(samples[0, 0, 0], samples[0, 0, 1])  # the same file twice


def seed_worker(worker_id):
    # What mmengine's runner does in each worker, at the beginning of each epoch.
    torch.set_num_threads(1)
    worker_init_fn(worker_id, num_workers=2, rank=0, seed=0)


def test_names_tell_the_samples_and_their_order_and_not_where_they_lie(folder, tmp_path):
    other = tmp_path / 'elsewhere'
    shutil.copytree(folder, other)
    one = build(folder, ['a.mp4 0', 'b.mp4 1']).names_hash
    moved = {'data_prefix': {'video': f'{other}/'}}
    assert build(other, ['a.mp4', 'b.mp4'], **moved).names_hash == one
    others = (['b.mp4 0', 'a.mp4 1'], ['a.mp4 0', 'c.mp4 1'], ['a.mp4 0'])
    hashes = [build(folder, lines).names_hash for lines in others]
    assert len({one, *hashes}) == 4


@pytest.mark.parametrize('persistent', [False, True])
def test_workers_make_the_same_samples(folder, persistent):
    dataset = build(folder, ['a.mp4', 'b.mp4', 'cut.mp4', 'c.mp4'])
    loader = DataLoader(
        dataset,
        batch_size=1,
        num_workers=2,
        collate_fn=pseudo_collate,
        persistent_workers=persistent,
        worker_init_fn=seed_worker,
    )
    for epoch in range(2):
        dataset.set_progress(5, epoch)
        for index, batch in enumerate(loader):
            expected = dataset[index]
            assert batch['data_samples'][0].replaced == expected['data_samples'].replaced
            for view in VIEWS:
                assert torch.equal(batch['inputs'][view][0], expected['inputs'][view])


def test_targets_lie_beside_the_annotation_file_and_know_its_videos(folder):
    with TargetWriter(folder / 'targets/texts.lmdb', TargetMeta('text', '', 'f')) as writer:
        writer.put('a.mp4', np.ones((1, 4), np.float32))
    load = dict(type='LoadTargets', cache='texts.lmdb', target='prompt', missing='mask')
    dataset = build(folder, ['a.mp4', 'b.mp4'], pipeline=[load])
    targets = [dataset[i]['targets']['clip'] for i in range(2)]
    assert [found['prompt_valid'] for found in targets] == [True, False]
    assert [found['prompt'].any() for found in targets] == [True, False]
    with pytest.raises(TargetCacheError, match=r"none of the 2 annotated.*b\.mp4'; it has 'a.mp4'"):
        build(folder, ['b.mp4', 'c.mp4'], pipeline=[load])
