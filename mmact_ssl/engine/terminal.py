"""A quiet terminal: short lines on the screen, everything in the log file."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import numpy as np
from mmengine.logging import MMLogger
from mmengine.runner import LogProcessor, Runner

from mmact_ssl.registry import LOG_PROCESSORS

COLUMNS = 120
# Beginnings of what mmengine says that a user can do nothing about.
FILE_ONLY = (
    'Exp name: ',
    'Using env variable ',
    'Distributed training is not used',
    'paramwise_options -- ',
)
# Warnings of what is meant to be so: a frozen weight of a student, for each one, and a network that
# had its weights before the runner.
MEANT = ('is skipped since its requires_grad=False', 'been called more than once.')


def quiet_the_screen(logger: MMLogger) -> None:
    """Show short lines, and hide routine messages."""
    screen = logger.handlers[0]  # of the screen: MMLogger adds that of a file behind it
    screen.setFormatter(ScreenFormatter(datefmt='%H:%M:%S'))
    screen.addFilter(is_for_the_screen)


class ScreenFormatter(logging.Formatter):
    """Time and message, and the level of warnings and errors."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        level = '' if record.levelno == logging.INFO else f'{record.levelname}: '
        return f'{self.formatTime(record, self.datefmt)} {level}{record.message}'


def is_for_the_screen(record: logging.LogRecord) -> bool:
    """Select warnings, and information that is not for the file alone."""
    message = record.getMessage()
    is_dump = record.module == 'runner' and '\n' in message  # environment, config, hooks
    if any(part in message for part in MEANT):
        return False
    return record.levelno > logging.INFO or not (is_dump or message.startswith(FILE_ONLY))


@LOG_PROCESSORS.register_module()
class ShortLogProcessor(LogProcessor):
    """mmengine's log processor, with lines that fit a terminal.

    A training line shows epoch and step, the time left, the loss and each task's own, and as far as
    there is room each task's share of the student's gradient (in brackets, where there are several
    tasks), the learning rate and the numbers of no task. ``scalars.json`` has all numbers.
    A test's metrics that do not fit a line get one each.
    """

    columns = COLUMNS - len('00:00:00 ')

    def _collect_scalars(
        self, custom_cfg: list[dict], runner: Runner, mode: str, reserve_prefix: bool = False
    ) -> dict:
        """Statistics of the window; metrics without batches in which nothing counts."""
        tag = super()._collect_scalars(custom_cfg, runner, mode, reserve_prefix)
        for name, value in tag.items():
            if 'loss' not in name and np.isnan(value):
                key = name if reserve_prefix else f'{mode}/{name}'
                history = runner.message_hub.get_scalar(key).data[0][-self.window_size :]
                known = history[~np.isnan(history)]
                tag[name] = known.mean() if len(known) else value
        return tag

    def get_log_after_iter(self, runner: Runner, batch_idx: int, mode: str) -> tuple[dict, str]:
        tag, line = super().get_log_after_iter(runner, batch_idx, mode)
        return tag, self._training_line(runner, batch_idx, tag) if mode == 'train' else line

    def get_log_after_epoch(self, *args: Any, **kwargs: Any) -> tuple[dict, str]:
        tag, line = super().get_log_after_epoch(*args, **kwargs)
        if len(line) <= self.columns:
            return tag, line
        width = max(map(len, tag))
        numbers = [f'  {name:{width}}  {_text(value)}' for name, value in tag.items()]
        return tag, '\n'.join([line.split('  ')[0], *numbers])

    def _training_line(self, runner: Runner, batch_idx: int, tag: dict) -> str:
        tag = dict(tag)
        if self.by_epoch:
            size = self._get_dataloader_size(runner, 'train')
            step = f'{batch_idx + 1:{len(str(size))}}/{size}'
            epoch = f'{tag.pop("epoch"):{len(str(runner.max_epochs))}}/{runner.max_epochs}'
            line = f'epoch {epoch} step {step}'
        else:
            line = f'step {runner.iter + 1:{len(str(runner.max_iters))}}/{runner.max_iters}'
        left = runner.message_hub.runtime_info.get('eta')
        if left is not None:
            line += f'  left {timedelta(seconds=max(0, int(left)))}'
        losses: dict[str, float] = {}
        others: dict[str, float] = {}
        shares: dict[str, float] = {}
        for name, value in tag.items():
            task, _, rest = name.rpartition('/')
            if task == 'share':
                if not np.isnan(value):
                    shares[rest] = value
            elif 'loss' in rest:
                losses[task or rest] = losses.get(task or rest, 0.0) + value
            elif not task and name not in ('time', 'data_time', 'iter') and 'base_lr' not in name:
                others[name] = value
        if len(shares) == 1:
            shares = {}  # all of it
        rates = {name: value for name, value in others.items() if name.endswith('lr')}
        shown = {'loss': losses.pop('loss', None), **losses}
        plain = {
            name: f'{name} {_text(value)}' for name, value in shown.items() if value is not None
        }
        items = [f'{text} ({shares[n]:.0%})' if n in shares else text for n, text in plain.items()]
        if len('  '.join([line, *items])) > self.columns:
            items = list(plain.values())
        items += [f'{name} {_text(value)}' for name, value in {**rates, **others}.items()]
        for item in items:
            if len(line) + len(f'  {item}') <= self.columns:
                line += f'  {item}'
        return line


def _text(value: Any) -> str:
    return f'{value:#.4g}' if isinstance(value, float) else str(value)
