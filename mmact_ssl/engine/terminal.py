"""A quiet terminal: short lines on the screen, everything in the log file."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import re
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
import torch
from mmengine.dist import broadcast_object_list, get_rank, is_main_process, master_only
from mmengine.hooks import LoggerHook
from mmengine.logging import MMLogger
from mmengine.runner import BaseLoop, LogProcessor, Runner
from torch import nn

from mmact_ssl.datasets.loading import build_dataloader
from mmact_ssl.engine.checkpoint import newest_checkpoint
from mmact_ssl.errors import CheckpointError, ConfigError, DataError, TrainingError
from mmact_ssl.files import reading
from mmact_ssl.models.encoding import keep_statistics_once
from mmact_ssl.registry import LOG_PROCESSORS

COLUMNS = 120
# Beginnings of what mmengine says that a user can do nothing about.
FILE_ONLY = ('Exp name: ', 'Using env variable ', 'Distributed training is not used')
# A warning for each frozen weight of a student, of the optimizer's constructor.
FROZEN = 'is skipped since its requires_grad=False'


class QuietRunner(Runner):
    """mmengine's runner, which logs the environment, the config and the hooks to the file alone."""

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        logger = super().build_logger(*args, **kwargs)
        quiet_the_screen(logger)
        return logger

    build_dataloader = staticmethod(build_dataloader)
    _resume: Union[bool, str]
    _load_from: Optional[str]

    def setup_env(self, env_cfg: dict) -> None:
        super().setup_env(env_cfg)
        if torch.distributed.is_initialized():
            atexit.register(end_process_group)

    def train(self) -> nn.Module:
        if self.cfg.get('activation_checkpointing'):
            keep_statistics_once(self.model)
        try:
            return super().train()
        except RuntimeError as error:
            if re.search('Connection (closed|reset) by peer', str(error)):
                raise TrainingError(
                    f'rank {get_rank()}: another process of the training has ended, look at what '
                    'it and its launcher said, and go on with --resume'
                ) from error
            if 'DataLoader timed out' not in str(error):
                raise
            raise DataError(
                f'no batch has come for {self.train_dataloader.timeout:g} seconds: look at the '
                'disk of the data, or raise train_dataloader.timeout'
            ) from error
        finally:
            self.call_hook('after_end')

    def build_train_loop(self, loop: Any) -> BaseLoop:
        """Build the training loop, one of epochs as :class:`EpochTrainLoop`."""
        if isinstance(loop, dict) and (
            loop.get('type') == 'EpochBasedTrainLoop' or loop.get('by_epoch')
        ):
            loop = {**loop, 'type': 'mmact_ssl.EpochTrainLoop'}
            loop.pop('by_epoch', None)
        return super().build_train_loop(loop)

    def load_or_resume(self) -> None:
        """Resume from the newest whole checkpoint of the work dir, unless one is named.

        With ``resume='auto'`` a run that has none yet starts from the config's ``load_from``.
        """
        is_named = self._resume != 'auto' and self._load_from is not None
        if self._resume and not self._has_loaded and not is_named:
            # The main process decides for all.
            newest = [newest_checkpoint(self.work_dir) if is_main_process() else None]
            broadcast_object_list(newest)
            if newest[0] is None:
                start = f' from {self._load_from}' if self._load_from else ''
                self.logger.warning(f'{self.work_dir} has no checkpoint: training starts{start}')
            self._resume, self._load_from = newest[0] is not None, newest[0] or self._load_from
        super().load_or_resume()

    def scale_lr(self, optim_wrapper: Any, auto_scale_lr: Optional[dict] = None) -> None:
        """Scale the learning rate if asked to, or tell that it is for another batch."""
        super().scale_lr(optim_wrapper, auto_scale_lr)
        settings = auto_scale_lr or {}
        base = settings.get('base_batch_size')
        batch = self.world_size * (self.train_dataloader.batch_size or 0)
        if base and batch and base != batch and not settings.get('enable'):
            self.logger.warning(
                f'the learning rate is for batches of {base} and these are of {batch}: '
                'scale it by --auto-scale-lr, or by hand'
            )

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        fix = 'resume from a checkpoint that training with this config has saved'
        with reading(filename, fix, ConfigError):
            super().resume(filename, *args, **kwargs)

    def load_checkpoint(self, filename: str, *args: Any, **kwargs: Any) -> dict:
        """Load weights; of a run that is resumed all of them, and it must be its own."""
        if not self._resume:
            return super().load_checkpoint(filename, *args, **kwargs)
        loaded = super().load_checkpoint(filename, *args, **{**kwargs, 'strict': True})
        if 'epoch' not in loaded.get('meta', {}) or 'optimizer' not in loaded:
            raise CheckpointError(
                f'{filename}: holds weights and no state of a training run: start a new run from '
                'them with load_from, without --resume'
            )
        return loaded

    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        """Save a checkpoint whole or not at all; called in all processes.

        Hooks that have to ask all of them have ``before_saving``; mmengine's own
        ``before_save_checkpoint`` is called in the main process alone.
        """
        self.call_hook('before_saving')
        self._save_whole(out_dir, filename, *args, **kwargs)

    @master_only
    def _save_whole(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        path, part = os.path.join(out_dir, filename), os.path.join(out_dir, f'{filename}.part')
        try:
            super().save_checkpoint(out_dir, f'{filename}.part', *args, **kwargs)
            with open(part, 'rb') as file:
                os.fsync(file.fileno())
            os.replace(part, path)
        except OSError as error:
            raise CheckpointError(
                f'{path} cannot be saved ({error.strerror}): make room and continue with --resume, '
                'earlier checkpoints are whole'
            ) from error
        finally:
            Path(part).unlink(missing_ok=True)

    def test(self) -> dict:
        """Test, and log on the main process alone: mmengine's hook overwrites one file on each."""
        for hook in self.hooks:
            if isinstance(hook, LoggerHook):
                hook.after_test_epoch = master_only(hook.after_test_epoch)
        return super().test()


def end_process_group(patience: float = 30.0) -> None:
    """Join the threads of the process group, which could abort the interpreter's exit.

    They end when nothing holds the group any more, so the model's wrapper has to go first: it sits
    in the runner's cycles of references. On a busy machine gloo's own join sometimes never
    returns: after ``patience`` seconds the program ends without it.
    """
    gc.collect()
    if torch.distributed.is_initialized():
        end = threading.Thread(target=torch.distributed.destroy_process_group, daemon=True)
        try:
            end.start()
        except RuntimeError:  # Python 3.12 starts no thread while it ends
            end.run()
        else:
            end.join(patience)


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
    if message.endswith(FROZEN):
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
            line += f'  left {timedelta(seconds=int(left))}'
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
