"""Save and end when the machine is taken away."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, barrier, get_backend, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmact_ssl.engine.optimizers import makes_step
from mmact_ssl.registry import HOOKS

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
FILE_NAME = 'stopped.pth'
EXIT_STATUS = 75  # EX_TEMPFAIL of sysexits.h: try again


@HOOKS.register_module()
class StopSignalHook(Hook):
    """Save a checkpoint and end with exit status 75 on SIGTERM or SIGUSR1.

    Slurm and clouds send SIGTERM some time before they take a machine away, and Slurm's
    ``--signal=USR1@300`` the other one so many seconds before the time is up. The optimizer's step
    under way is finished, on several GPUs a few more; then all processes stop after the same one,
    whichever of them was told.
    ``stopped.pth`` in the work dir is what ``--resume`` goes on from, to the bit, and is removed
    when the training has ended. Our choice.

    Args:
        interval: Processes on GPUs ask each other every so many steps, because an answer there
            waits for all that the GPU has yet to do, and after the last of an epoch; on CPUs, and
            one process alone, after each.
    """

    # After CheckpointHook and the schedules.
    priority = 'LOWEST'

    def __init__(self, interval: int = 10) -> None:
        self.interval = interval
        self._steps = 0
        self._signal = 0
        self._process = 0
        self._handlers: dict[signal.Signals, Any] = {}

    def before_train(self, runner: Runner) -> None:
        self._process = os.getpid()
        if threading.current_thread() is threading.main_thread():  # Python allows no other
            self._handlers = {number: signal.signal(number, self._note) for number in SIGNALS}

    def _note(self, number: int, frame: Any) -> None:
        self._signal = number
        if os.getpid() != self._process:  # forked from the training: it ends as if nothing were set
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        if not makes_step(runner.optim_wrapper):
            return
        self._steps += 1
        # Before a validation, which may last, they ask too.
        is_last = batch_idx + 1 == len(runner.train_dataloader)
        waits = get_backend() == 'nccl' and get_world_size() > 1
        if waits and self._steps % self.interval and not is_last:
            return
        number = torch.tensor(self._signal)
        all_reduce(number, op='max')
        if not number:
            return
        runner.save_checkpoint(runner.work_dir, FILE_NAME, by_epoch=False)
        barrier()  # or a launcher ends the main process, which saves, with the others
        name = signal.Signals(int(number)).name
        runner.logger.warning(
            f'{name}: stopped after step {runner.iter + 1}, go on with --resume '
            f'(exit status {EXIT_STATUS})'
        )
        raise SystemExit(EXIT_STATUS)

    def give_signals_back(self) -> None:
        """Give them back; :class:`PretrainRunner` does so however the training has ended."""
        while self._handlers:
            signal.signal(*self._handlers.popitem())

    def after_train(self, runner: Runner) -> None:
        self.give_signals_back()
        if is_main_process():
            Path(runner.work_dir, FILE_NAME).unlink(missing_ok=True)
