"""Data loaders: few file descriptors, no orphans, no silent wait."""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate
from torch.utils.data import Dataset, SequentialSampler

from mmact_ssl.datasets.loading import build_dataloader, collate
from mmact_ssl.errors import BrokenSampleError, DataError, reason_of
from tests.helpers.processes import Process


class Samples(Dataset):
    """Clips of different length with targets, as PackInputs makes them."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        clip = torch.randn(2, 3 + index % 4, 5, 3, generator=generator)
        sample = ActionDataSample(metainfo={'filename': f'{index}.mp4'}).set_gt_label(index)
        targets = {f'target{i}': torch.tensor([index, i]) for i in range(4)}
        return {
            'inputs': {'clip': clip, 'masked': clip.bool(), 'frames': clip[:, :3]},
            'targets': {'clip': targets, 'sample': {'video': torch.tensor(index)}},
            'data_samples': sample,
            'name': str(index),
            'pair': (clip.transpose(0, 1), index),
        }


def loader(dataset, batch_size=64, **options):
    options.setdefault('sampler', dict(type='DefaultSampler', shuffle=False))
    return build_dataloader(dict(dataset=dataset, batch_size=batch_size, **options), seed=0)


def test_workers_are_children_of_the_training_on_every_python():
    """A worker ends itself where its parent is another process."""
    workers = loader(Samples(4), num_workers=1)
    assert workers.multiprocessing_context.get_start_method() == 'fork'
    assert loader(Samples(4), num_workers=0).multiprocessing_context is None


def equal(a, b):
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        same_form = isinstance(b, (list, tuple)) and len(a) == len(b)
        return same_form and all(map(equal, a, b))
    if isinstance(a, ActionDataSample):
        return a.metainfo == b.metainfo and torch.equal(a.gt_label, b.gt_label)
    return a == b


@pytest.mark.parametrize(
    ('error', 'expected'),
    [
        (TypeError('no number: 3'), 'TypeError: no number: 3'),
        (DataError('a.mp4: is cut'), 'a.mp4: is cut'),
        (BrokenSampleError('a.mp4', 'is cut'), 'a.mp4: is cut'),  # torch gives it one argument
    ],
)
def test_the_error_of_a_worker_is_told_without_its_traceback(error, expected):
    class Broken(Samples):
        def __getitem__(self, index):
            raise error

    with pytest.raises(type(error)) as found:
        next(iter(loader(Broken(4), num_workers=1)))
    assert reason_of(found.value) == expected


@pytest.mark.parametrize('workers', [0, 1])
def test_batches_are_those_of_pseudo_collate_with_views_and_targets_stacked(workers):
    dataset = Samples(6)
    (batch,) = loader(dataset, 6, num_workers=workers)
    plain = pseudo_collate([dataset[i] for i in range(6)])
    plain['inputs']['frames'] = torch.stack(plain['inputs']['frames'])
    targets = plain['targets']
    targets['clip'] = {name: torch.stack(values) for name, values in targets['clip'].items()}
    targets['sample']['video'] = torch.stack(targets['sample']['video'])
    assert equal(plain, batch)
    assert batch['inputs']['frames'].is_shared() == (workers == 1)  # the worker has stacked it


def test_the_lists_that_models_of_mmaction2_read_stay_lists():
    frames = torch.arange(24, dtype=torch.uint8).view(2, 3, 4)
    for inputs in (frames, dict(imgs=frames, heatmap_imgs=frames)):  # of RGBPose
        samples = [dict(inputs=inputs, data_samples=ActionDataSample().set_gt_label(1))] * 2
        assert equal(pseudo_collate(samples), collate(samples))


def test_views_of_one_shape_and_other_types_are_not_stacked():
    views = [torch.zeros(2), torch.zeros(2, dtype=torch.float64)]
    batch = collate([dict(inputs=dict(clip=view), targets={}) for view in views])
    assert [view.dtype for view in batch['inputs']['clip']] == [torch.float32, torch.float64]


def test_a_large_batch_needs_few_file_descriptors():
    """That is more than 700 tensors; two batches are on their way, and one is held."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir('/proc/self/fd'))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 80, limits[1]))
    try:
        held = list(loader(Samples(192), 64, num_workers=1, timeout=60))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert [len(batch['name']) for batch in held] == [64, 64, 64]


PARENT = """
import os, sys, time
from tests.test_datasets.test_loading import Samples, loader
batches = iter(loader(Samples(4096), 1024, num_workers=2))
next(batches)
print(*(worker.pid for worker in batches._workers), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize('end', [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_parent(end):
    parent = Process.program('-c', PARENT)
    while '\n' not in parent.out and parent.status is None:
        time.sleep(0.05)
    workers = [int(pid) for pid in parent.out.split()]
    assert len(workers) == 2 and all(map(is_alive, workers))
    os.kill(parent.pid, end)
    parent.wait(-end)
    limit = time.monotonic() + 120
    while any(map(is_alive, workers)) and time.monotonic() < limit:
        time.sleep(0.1)
    assert not any(map(is_alive, workers))


def is_alive(pid):
    """Return whether a process runs; a zombie does not."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


class FirstTen(SequentialSampler):
    def __init__(self, dataset, seed=None):
        super().__init__(range(10))


@pytest.mark.parametrize(
    ('samples', 'options', 'batches'),
    [
        (3, {}, [3]),
        (64, {}, [64]),
        (130, {}, [64, 64]),
        (90, {'sampler': {'type': FirstTen}}, [10]),
    ],
)
def test_fewer_samples_than_a_batch_are_one(samples, options, batches):
    built = loader(Samples(samples), drop_last=True, **options)
    assert len(built) == len(batches)
    assert [len(batch['name']) for batch in built] == batches


def test_mmaction2_reads_lists_as_this_package_does(tmp_path):
    (tmp_path / 'list.txt').write_bytes(b'\xef\xbb\xbfmy a.mp4\t1\n\n')
    videos = dict(type='mmaction.VideoDataset', ann_file=str(tmp_path / 'list.txt'), pipeline=[])
    (sample,) = loader(dict(videos, data_prefix=dict(video='/folder'))).dataset.load_data_list()
    assert (sample['filename'], sample['label']) == ('/folder/my a.mp4', 1)
