"""StopSignalHook: what is told to stop saves, says so by its exit status, and goes on exactly."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from mmengine.hooks import Hook

from mmact_ssl.engine.hooks import stop_signal_hook
from mmact_ssl.engine.hooks.stop_signal_hook import SIGNALS, StopSignalHook
from mmact_ssl.engine.runner import PretrainRunner
from tests.test_engine.test_hooks.test_exact_resume_hook import WRAPPER, Model, Seen, equal


class Told(Hook):
    """Gets a signal from outside in one iteration, and so do the workers."""

    def __init__(self, number: int, iteration: int) -> None:
        self.number, self.iteration = number, iteration

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter + 1 == self.iteration:
            workers = getattr(runner.train_dataloader._iterator, '_workers', [])
            pids = ' '.join(str(pid) for pid in (os.getpid(), *(w.pid for w in workers)))
            subprocess.run(['sh', '-c', f'kill -{self.number} {pids}'], check=True)


@pytest.fixture
def make(make_runner, tmp_path: Path):
    def make(
        name: str, told: Told | None = None, resume: bool = False, **options
    ) -> PretrainRunner:
        torch.manual_seed(0)
        options.setdefault('optim_wrapper', dict(optimizer=dict(type='SGD', lr=0.1)))
        return make_runner(
            tmp_path / name,
            Model(),
            Seen(),
            hooks=[told] if told else [],
            runner_class=PretrainRunner,
            epochs=2,
            default_hooks=dict(
                checkpoint=dict(type='CheckpointHook', interval=1),
                seed_by_progress=dict(type='SeedByProgressHook'),
                exact_resume=dict(type='ExactResumeHook'),
                stop_signal=dict(type='StopSignalHook'),
            ),
            resume='auto' if resume else False,
            **options,
        )

    return make


@pytest.mark.parametrize(
    ('number', 'told_at', 'stopped_after', 'accumulated', 'workers'),
    [(signal.SIGINT, 3, 3, 1, 1), (signal.SIGUSR1, 7, 7, 1, 0), (signal.SIGTERM, 10, 12, 4, 0)],
)
def test_a_run_that_is_told_to_stop_goes_on_exactly(
    make, number, told_at, stopped_after, accumulated, workers, tmp_path: Path
):
    wrapper = dict(optimizer=dict(type='SGD', lr=0.1), accumulative_counts=accumulated)
    alive = dict(persistent_workers=True, timeout=60) if workers else {}
    options = dict(optim_wrapper=wrapper, loader=dict(num_workers=workers, **alive))
    whole = make('whole', **options)
    whole.train()
    first = make('run', Told(number, told_at), **options)
    handlers = [signal.getsignal(number) for number in SIGNALS]
    with pytest.raises(SystemExit) as end:
        first.train()
    assert [signal.getsignal(number) for number in SIGNALS] == handlers
    assert end.value.code == (130 if number == signal.SIGINT else 75)
    stopped = tmp_path / 'run' / 'stopped.pth'
    assert torch.load(stopped, weights_only=False)['meta']['iter'] == stopped_after
    second = make('run', resume=True, **options)
    second.train()
    assert first.model.losses + second.model.losses == whole.model.losses
    assert equal(whole.model.state_dict(), second.model.state_dict())
    assert not stopped.exists(), 'nothing is left to go on from'


def one_process(rank: int, folder: str, make, backend: str) -> None:
    os.environ['LOCAL_RANK'] = str(rank)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    told = [Told(signal.SIGTERM, 3)] if rank else []
    stop_signal_hook.get_backend = lambda: backend
    runner = make('run', *told, launcher='pytorch', cfg=dict(model_wrapper_cfg=WRAPPER))
    for hook in runner.hooks:
        if isinstance(hook, StopSignalHook):
            hook.interval = 4
    try:
        runner.train()
    except SystemExit as end:
        assert Path(folder, 'run', 'stopped.pth').is_file(), 'the other one has saved before'
        time.sleep(rank)
        Path(folder, str(rank)).write_text(str(end.code))


@pytest.mark.usefixtures('forked')
@pytest.mark.parametrize(('backend', 'stopped_after'), [('gloo', 3), ('nccl', 4)])
def test_all_processes_stop_after_the_same_step_when_one_is_told(
    make, backend, stopped_after, tmp_path: Path
):
    """Those on GPUs, here in name alone, ask each other every so many steps."""
    mp.start_processes(one_process, (str(tmp_path), make, backend), nprocs=2, start_method='fork')
    assert [(tmp_path / str(rank)).read_text() for rank in range(2)] == ['75', '75']
    assert (
        torch.load(tmp_path / 'run' / 'stopped.pth', weights_only=False)['meta']['iter']
        == stopped_after
    )


def test_a_forked_process_ends_on_the_signal():
    """Pools end their workers by SIGTERM, and would wait for ever for one that notes it."""
    before = signal.getsignal(signal.SIGTERM)
    hook = StopSignalHook()
    hook.before_train(None)
    try:
        fork = multiprocessing.get_context('fork')
        runs = fork.Event()
        process = fork.Process(target=lambda: (runs.set(), time.sleep(600)))
        process.start()
        assert runs.wait(60)
        process.terminate()
        process.join(60)
        assert process.exitcode == -signal.SIGTERM
        assert not hook._signal
    finally:
        hook.give_signals_back()
    assert signal.getsignal(signal.SIGTERM) == before
