"""BrokenSampleHook."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch
import torch.multiprocessing as mp
from mmaction.structures import ActionDataSample

from mmact_ssl.engine.hooks import BrokenSampleHook
from mmact_ssl.errors import ConfigError, DataError


def batch(*replaced):
    return {'data_samples': [ActionDataSample(metainfo={'replaced': text}) for text in replaced]}


def run(hook, work_dir, batches):
    """Run one epoch of the hook as mmengine's loop does."""
    runner = SimpleNamespace(work_dir=str(work_dir), iter=0)
    for index, data in enumerate(batches):
        hook.after_train_iter(runner, index, data, {})
        runner.iter += 1
    hook.after_train_epoch(runner)


def test_whole_samples_leave_no_list(tmp_path):
    run(BrokenSampleHook(max_fraction=0), tmp_path, [batch('', '')] * 3)
    assert not list(tmp_path.iterdir())


def test_broken_samples_are_listed(tmp_path):
    hook = BrokenSampleHook(max_fraction=0.5)
    run(hook, tmp_path, [batch('', 'a.mp4: cut'), batch('b.mp4: empty', ''), batch('', '')])
    run(hook, tmp_path, [batch('', 'a.mp4: cut')])
    assert json.loads((tmp_path / 'broken_samples.json').read_text()) == {
        'samples': 8,
        'replaced': 3,
        'fraction': 0.375,
        'files': {'a.mp4: cut': 2, 'b.mp4: empty': 1},
    }


def test_too_many_stop_the_run(tmp_path):
    seen = []

    def batches():
        for index in range(100):
            seen.append(index)
            yield batch('', 'a.mp4: cut')

    with pytest.raises(DataError, match=r'10 of 20 samples .*a\.mp4: cut.*broken_samples\.json'):
        run(BrokenSampleHook(max_fraction=0.05, interval=10), tmp_path, batches())
    assert len(seen) == 10
    assert (tmp_path / 'broken_samples.json').is_file()


def test_the_limit_itself_is_allowed(tmp_path):
    run(BrokenSampleHook(max_fraction=0.25), tmp_path, [batch('', '', '', 'a.mp4: cut')])


def test_wrong_options_are_named():
    with pytest.raises(ConfigError, match='max_fraction is 5'):
        BrokenSampleHook(max_fraction=5)
    with pytest.raises(ConfigError, match='interval is 0'):
        BrokenSampleHook(interval=0)


def one_process(rank, address, work_dir):
    torch.set_num_threads(1)
    torch.distributed.init_process_group('gloo', init_method=address, rank=rank, world_size=2)
    # Every third sample of rank 1 is broken, none of rank 0: one in six together.
    data = batch('', '', f'{rank}.mp4: cut' if rank else '')
    try:
        run(BrokenSampleHook(max_fraction=0.2), work_dir, [data] * 2)
        with pytest.raises(DataError, match=r'2 of 12 .*1\.mp4'):
            run(BrokenSampleHook(max_fraction=0.1), work_dir, [data] * 2)
    finally:
        torch.distributed.destroy_process_group()


def test_two_processes_count_together(tmp_path):
    mp.start_processes(
        one_process, (f'file://{tmp_path}/store', str(tmp_path)), nprocs=2, start_method='fork'
    )
    assert json.loads((tmp_path / 'broken_samples.json').read_text())['files'] == {'1.mp4: cut': 2}
