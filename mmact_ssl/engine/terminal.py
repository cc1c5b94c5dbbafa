"""A quiet terminal: short lines on the screen, everything in the log file."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache

import numpy as np
from mmengine.logging import MMLogger, print_log
from mmengine.runner import LogProcessor, Runner

from mmact_ssl.registry import LOG_PROCESSORS

# Parts of upstream messages that users cannot act on, or that warn about intended behavior.
FILE_ONLY = (
    *('Exp name: ', 'Using env variable ', 'Distributed training is not used'),
    *('paramwise_options -- ', 'is skipped since its requires_grad', 'been called more than once.'),
    *('Loads checkpoint by ', 'Inputs of the tasks:\n'),
)


def quiet_the_screen(logger: MMLogger) -> None:
    """Show short lines, and hide routine messages."""
    screen = logger.handlers[0]  # MMLogger adds the log file's handler after it
    screen.setFormatter(ScreenFormatter(datefmt='%H:%M:%S'))
    screen.addFilter(is_for_the_screen)


@contextmanager
def messages_on_stderr() -> Iterator[None]:
    """Show messages apart from the results of a program, which it prints to stdout."""
    logger = MMLogger.get_current_instance()
    quiet_the_screen(logger)
    screen = logger.handlers[0]
    assert isinstance(screen, logging.StreamHandler)
    # setStream would flush the old one, which a program that captured it may have closed.
    stdout, screen.stream = screen.stream, sys.stderr
    try:
        yield
    finally:
        screen.stream = stdout


@cache
def log_once(message: str) -> None:
    """Log a message, once in a process: not again for every seed."""
    print_log(message, logger='current')


class ScreenFormatter(logging.Formatter):
    """Time and message, and the level of warnings and errors."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        level = '' if record.levelno == logging.INFO else f'{record.levelname}: '
        return f'{self.formatTime(record, self.datefmt)} {level}{record.message}'


def is_for_the_screen(record: logging.LogRecord) -> bool:
    """False for messages of the log file only, such as dumps of environment, config and hooks."""
    message = record.getMessage()
    is_dump = record.module == 'runner' and record.levelno <= logging.INFO and '\n' in message
    return not is_dump and not any(part in message for part in FILE_ONLY)


@LOG_PROCESSORS.register_module()
class ShortLogProcessor(LogProcessor):
    """mmengine's log processor, with training lines that fit a terminal.

    A line shows epoch and step, the time left, the total loss, each task's loss and the learning
    rates. ``scalars.json`` has all numbers.
    """

    def _collect_scalars(
        self, custom_cfg: list[dict], runner: Runner, mode: str, reserve_prefix: bool = False
    ) -> dict:
        """Statistics of the window; NaN values of metrics do not count."""
        tag = super()._collect_scalars(custom_cfg, runner, mode, reserve_prefix)
        for name in [name for name in tag if 'loss' not in name and np.isnan(tag[name])]:
            key = name if reserve_prefix else f'{mode}/{name}'
            history = runner.message_hub.get_scalar(key).data[0][-self.window_size :]
            if not np.isnan(history).all():
                tag[name] = np.nanmean(history)
        return tag

    def get_log_after_iter(self, runner: Runner, batch_idx: int, mode: str) -> tuple[dict, str]:
        tag, line = super().get_log_after_iter(runner, batch_idx, mode)
        if mode != 'train':
            return tag, line
        start = f'step {runner.iter + 1}/{runner.max_iters}'
        if self.by_epoch:
            size = self._get_dataloader_size(runner, 'train')
            start = f'epoch {tag["epoch"]}/{runner.max_epochs} step {batch_idx + 1}/{size}'
        left = runner.message_hub.runtime_info.get('eta')
        if left is not None:
            start += f'  left {timedelta(seconds=int(left))}'
        losses: dict[str, float] = {}
        for name, value in tag.items():
            task, _, rest = name.rpartition('/')
            if 'loss' in rest:
                losses[task or rest] = losses.get(task or rest, 0.0) + value
        rates = {n: v for n, v in tag.items() if n.endswith('lr') and 'base_lr' not in n}
        shown = ''.join(f'  {n} {value:#.4g}' for n, value in {**losses, **rates}.items())
        return tag, start + shown
