"""BrokenSampleHook."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.dist import is_main_process

from mmact_ssl.engine.hooks import broken_sample_hook
from mmact_ssl.engine.hooks.broken_sample_hook import BrokenSampleHook
from mmact_ssl.errors import DataError
from tests.helpers.processes import in_two_processes
from tests.test_io.test_checkpoint_file import OneWeight


def batch(*replaced):
    return {'data_samples': [ActionDataSample(metainfo={'replaced': text}) for text in replaced]}


def run(hook, work_dir, batches, checkpoint=None, resume=True):
    """Run one epoch of the hook as mmengine's loop does; returns what the main process saves."""
    runner = SimpleNamespace(work_dir=str(work_dir), iter=0, _resume=resume)
    if checkpoint is not None:
        hook.after_load_checkpoint(runner, checkpoint)
    for index, data in enumerate(batches):
        hook.after_train_iter(runner, index, data, {})
        runner.iter += 1
    hook.after_train_epoch(runner)
    saved = {}
    if is_main_process():
        hook.before_save_checkpoint(runner, saved)
    return saved


def test_too_many_stop_the_run(tmp_path):
    seen = []

    def batches():
        for index in range(100):
            seen.append(index)
            yield batch('', f'{index % 2}.mp4: cut')

    with pytest.raises(DataError, match=r'10 of 20 samples .*0\.mp4: cut.*broken_samples\.json'):
        run(BrokenSampleHook(max_fraction=0.05, interval=10), tmp_path, batches())
    assert len(seen) == 10
    assert (tmp_path / 'broken_samples.json').is_file()


def test_one_broken_file_of_a_small_folder_is_named_and_stops_nothing(tmp_path, monkeypatch):
    warned = []
    monkeypatch.setattr(broken_sample_hook, 'print_log', lambda text, *_: warned.append(text))
    one = [batch('', 'b.mp4: cut'), batch('', 'b.mp4: ends early')] * 2
    run(BrokenSampleHook(max_fraction=0.05, interval=1), tmp_path, one)
    assert len(warned) == 1
    assert warned[0].startswith('b.mp4: cut: replaced; broken files so far: 1, see')
    more = [batch(f'{index}.mp4: cut', *[''] * 40) for index in range(8)]
    run(BrokenSampleHook(max_fraction=0.05, interval=1), tmp_path, more)
    assert [text.split('so far: ')[1][0] for text in warned[1:]] == ['1', '2', '4', '8']
    with pytest.raises(DataError, match='2 of 4 samples are broken'):
        run(BrokenSampleHook(max_fraction=0), tmp_path, one[:2])
    folder = [batch('', f'/My.Show: one/{name}.mp4: cut: early') for name in 'ab']
    with pytest.raises(DataError, match='2 of 4 samples are broken'):
        run(BrokenSampleHook(max_fraction=0.05), tmp_path, folder)


def test_weights_to_start_from_bring_no_counts(tmp_path):
    saved = run(BrokenSampleHook(max_fraction=0.5), tmp_path, [batch('', 'a.mp4: cut')])
    (tmp_path / 'other').mkdir()
    run(BrokenSampleHook(0), tmp_path / 'other', [batch('', '')], saved, resume=False)
    run(BrokenSampleHook(0), tmp_path / 'other', [batch('', '')], {})
    assert not list((tmp_path / 'other').iterdir())


def test_the_counts_are_in_a_runs_checkpoints(tmp_path, make_runner):
    """Which are saved after an epoch's last check."""
    samples = batch('a.mp4: cut', '', '', '')['data_samples']
    data = [dict(inputs=torch.ones(1), data_samples=sample) for sample in samples]
    hooks = [BrokenSampleHook(max_fraction=0.5)]
    for epochs in (1, 2):
        make_runner(tmp_path, OneWeight(), data, hooks, epochs, resume=epochs == 2).train()
    found = json.loads((tmp_path / 'broken_samples.json').read_text())
    assert (found['samples'], found['files']) == (8, {'a.mp4: cut': 2})


def one_process(rank, folder):
    work_dir = str(folder)
    # Every third sample of rank 1 is broken, none of rank 0: one in six together.
    data = batch('', '', f'{rank}.mp4: cut' if rank else '')
    both = [data, batch('', '', '2.mp4: cut' if rank else '')]
    saved = [run(BrokenSampleHook(max_fraction=0.2), work_dir, [data] * 2)]
    torch.distributed.broadcast_object_list(saved)
    resumed = run(BrokenSampleHook(max_fraction=0.2), work_dir, [data], saved[0])
    if rank == 0:
        assert resumed['broken_samples'] == {'samples': 18, 'files': {'1.mp4: cut': 3}}
    with pytest.raises(DataError, match=r'2 of 12 .*1\.mp4'):
        run(BrokenSampleHook(max_fraction=0.1), work_dir, both)


def test_two_processes_count_together(tmp_path):
    in_two_processes(one_process, tmp_path)
    assert json.loads((tmp_path / 'broken_samples.json').read_text())['files'] == {
        '1.mp4: cut': 1,
        '2.mp4: cut': 1,
    }
