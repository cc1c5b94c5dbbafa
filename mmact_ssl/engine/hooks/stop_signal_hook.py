"""Saving and stopping at a signal."""

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

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
FILE_NAME = 'stopped.pth'
EXIT_STATUS = 75  # EX_TEMPFAIL of sysexits.h: try again


@HOOKS.register_module()
class StopSignalHook(Hook):
    """Save a checkpoint and end with status 75 on SIGTERM or SIGUSR1, 130 on Ctrl-C.

    Slurm and clouds send SIGTERM some time before they take a machine away; Slurm's
    ``--signal=USR1@300`` sends SIGUSR1 300 seconds before the time limit. The training finishes the
    optimizer's current step, on several GPUs a few more. Then all processes stop after the same
    step, whichever process received the signal. ``--resume`` continues exactly from ``stopped.pth``
    in the work dir, which is removed when the training has ended. A second Ctrl-C ends at once.

    Args:
        interval: Steps after which processes on several GPUs share their signals, because this
            waits for the GPUs; they also do so after an epoch. Other runs check after each step.
    """

    # After CheckpointHook and the schedules.
    priority = 'LOWEST'
    _steps = _signal = _process = 0

    def __init__(self, interval: int = 10) -> None:
        self.interval = interval
        self._handlers: dict[signal.Signals, Any] = {}

    def before_train(self, runner: Runner) -> None:
        self._process = os.getpid()
        if threading.current_thread() is threading.main_thread():  # the only one for handlers
            self._handlers = {number: signal.signal(number, self._note) for number in SIGNALS}

    def _note(self, number: int, frame: Any) -> None:
        self._signal = number
        if number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)
        if os.getpid() != self._process:  # a forked worker: restore the default, and end
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        if not makes_step(runner.optim_wrapper):
            return
        self._steps += 1
        # Share them before a validation, too, which may take long.
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
        received = signal.Signals(int(number))
        status = 130 if received == signal.SIGINT else EXIT_STATUS
        runner.logger.warning(
            f'{received.name}: stopped after step {runner.iter + 1} (exit status {status}): to go '
            'on, run the same command; mmact-ssl train needs --resume'
        )
        raise SystemExit(status)

    def give_signals_back(self) -> None:
        """Restore the earlier handlers; :class:`PretrainRunner` calls this at any end."""
        while self._handlers:
            signal.signal(*self._handlers.popitem())

    def after_train(self, runner: Runner) -> None:
        self.give_signals_back()
        if is_main_process():
            Path(runner.work_dir, FILE_NAME).unlink(missing_ok=True)
