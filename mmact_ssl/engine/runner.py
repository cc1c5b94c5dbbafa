"""The runner of pre-training: resumes safely, saves whole checkpoints, ends with a clear error."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import broadcast_object_list, get_rank, is_main_process, master_only
from mmengine.hooks import LoggerHook
from mmengine.logging import MMLogger, print_log
from mmengine.runner import BaseLoop, Runner
from torch import nn

from mmact_ssl.checkpoint_file import STARTS, newest_checkpoint, saved_checkpoints
from mmact_ssl.datasets.loading import build_dataloader
from mmact_ssl.engine.hooks.exact_resume_hook import KEY as EXACT_RESUME
from mmact_ssl.engine.hooks.exact_resume_hook import divisions
from mmact_ssl.engine.loops import EpochTrainLoop, StepsTrainLoop
from mmact_ssl.engine.schedule import restore_initial_values, wind_forward
from mmact_ssl.engine.terminal import quiet_the_screen
from mmact_ssl.engine.unwrap import unwrap_model, unwrap_optimizers
from mmact_ssl.errors import CheckpointError, ConfigError, DataError, TrainingError
from mmact_ssl.files import reading
from mmact_ssl.models.encoding import keep_statistics_once


class PretrainRunner(Runner):
    """mmengine's runner, with a quiet screen, exact resuming and errors that name their fix."""

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        logger = super().build_logger(*args, **kwargs)
        quiet_the_screen(logger)
        return logger

    build_dataloader = staticmethod(build_dataloader)
    _resume: bool | str
    _load_from: str | None
    _schedule: Any = None  # what the schedulers were first built of
    _progress: dict[str, Any] = {}  # within its epoch, of the checkpoint
    _starts: int | None = None  # of training in the folder of its checkpoints, with this one

    def setup_env(self, env_cfg: dict) -> None:
        super().setup_env(env_cfg)
        if torch.distributed.is_initialized():
            atexit.register(end_process_group)

    def set_randomness(
        self, seed: int | None, diff_rank_seed: bool = False, deterministic: bool = False
    ) -> None:
        """Seed all generators; ``deterministic`` as far as torch has such algorithms."""
        if deterministic:
            # cuBLAS reads it once, before its first product.
            os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
        super().set_randomness(seed, diff_rank_seed, deterministic)
        if deterministic:
            # On a GPU max pooling and trilinear interpolation have no deterministic gradient, and
            # mmengine's setting would end the training at its first step.
            torch.use_deterministic_algorithms(True, warn_only=True)

    def train(self) -> nn.Module:
        """Train to the end of the schedule.

        Raises:
            TrainingError: Another process of the training has ended, or another training writes to
                the work dir.
            DataError: No batch came in time.
        """
        # Some of mmaction2's backbones recompute their blocks by themselves.
        by_itself = any(getattr(part, 'with_cp', False) for part in self.model.modules())
        if by_itself or self.cfg.get('activation_checkpointing'):
            keep_statistics_once(self.model)
        try:
            with only_training_in(self.work_dir):
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
        if isinstance(loop, dict):
            # With a scope, mmengine.EpochBasedTrainLoop, and as a class it is the same.
            name = re.findall(r'\w+', str(loop.get('type')))[-1]
            if name == 'EpochBasedTrainLoop' or loop.get('by_epoch'):
                loop = {**loop, 'type': 'mmact_ssl.EpochTrainLoop'}
                loop.pop('by_epoch', None)
        return super().build_train_loop(loop)

    def build_param_scheduler(self, scheduler: Any) -> Any:
        """Build the schedulers, and keep the config: another batch size needs them anew."""
        if self._schedule is None:
            self._schedule = scheduler
        return super().build_param_scheduler(scheduler)

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

    def scale_lr(self, optim_wrapper: Any, auto_scale_lr: dict | None = None) -> None:
        """Scale the learning rate if asked to, or tell that it is for another batch.

        Batches whose gradients are accumulated are one (our choice): mmengine compares those of the
        loader.
        """
        settings = dict(auto_scale_lr or {})
        base = settings.get('base_batch_size')
        accumulated = unwrap_optimizers(optim_wrapper)[0]._accumulative_counts
        batch = accumulated * self.world_size * (self.train_dataloader.batch_size or 0)
        if base:
            settings['base_batch_size'] = base / accumulated
        super().scale_lr(optim_wrapper, settings)
        if base and batch and base != batch and not settings.get('enable'):
            self.logger.warning(
                f'the learning rate is for batches of {base} and these are of {batch}: '
                'scale it by --auto-scale-lr, or by hand'
            )
        if accumulated > 1 and isinstance(self.train_loop, StepsTrainLoop):
            self.logger.warning(
                f'optim_wrapper.accumulative_counts={accumulated}: max_iters and schedules with '
                f'by_epoch=False count batches, and the optimizer steps once in {accumulated}: '
                f'multiply them by {accumulated} for as many steps as without'
            )

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Continue from a checkpoint; ConfigError if it does not fit this config's training.

        With another batch size or number of processes the schedule goes on where a run with the new
        one is at the beginning of this epoch, or after as many steps where steps are the budget.
        """
        fix = 'resume from a checkpoint that training with this config has saved'
        asked = self._initial_lrs()
        with reading(filename, fix, ConfigError):
            super().resume(filename, *args, **kwargs)
        if (kept := self._initial_lrs()) != asked:
            self.logger.warning(
                f'{filename}: goes on with its own learning rates {kept}, not the {asked} of the '
                'config: begin another run with load_from to change them'
            )
        loop = self.train_loop
        if not self._progress or not isinstance(loop, EpochTrainLoop):
            return
        before, now = divisions(self._progress, len(self.train_dataloader))
        seen = self._progress['seen']
        loop.recount(seen if before == now else 0)
        if before == now or (before[0] == now[0] and not seen):
            return
        if self._schedule is not None:
            restore_initial_values(self.optim_wrapper)
            self.param_schedulers = self.build_param_scheduler(self._schedule)
            wind_forward(self.param_schedulers, loop.iter, now[0])
        self.logger.warning(
            f'{filename}: its epochs have {before[0]} batches in each of {before[1]} processes, '
            f'and now {now[0]} in each of {now[1]}: the schedule goes on at epoch '
            f'{loop.epoch + 1}, step {loop.iter + 1}'
        )

    def _initial_lrs(self) -> list[float]:
        """Learning rates before any schedule, each once."""
        sides = unwrap_optimizers(self.build_optim_wrapper(self.optim_wrapper))  # or as it is
        groups = [group for side in sides for group in side.param_groups]
        return sorted({group.get('initial_lr', group['lr']) for group in groups})

    def load_checkpoint(self, filename: str, *args: Any, **kwargs: Any) -> dict:
        """Load weights; of a run that is resumed all of them, and it must be its own."""
        if not self._resume:
            # Without buffers: a counter has one shape in all networks.
            own = {n: value.shape for n, value in unwrap_model(self.model).named_parameters()}
            loaded = super().load_checkpoint(filename, *args, **kwargs)
            found = loaded.get('state_dict', loaded)
            if not any(getattr(found.get(name), 'shape', None) == own[name] for name in own):
                raise CheckpointError(
                    f'{filename}: no weight has a name and shape of this model ({next(iter(own))}, '
                    f'... there: {next(iter(found), None)}, ...); a backbone alone is taken by '
                    "model.backbone.init_cfg=dict(type='Pretrained', checkpoint=FILE)"
                )
            return loaded
        loaded = super().load_checkpoint(filename, *args, **{**kwargs, 'strict': True})
        if 'epoch' not in loaded.get('meta', {}) or 'optimizer' not in loaded:
            raise CheckpointError(
                f'{filename}: holds weights and no state of a training run: start a new run from '
                'them with load_from, without --resume'
            )
        self._progress = loaded.get(EXACT_RESUME, {})
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
        if self._starts is None:
            self._starts = 1 + max(
                (starts for starts, _, _ in saved_checkpoints(out_dir)), default=0
            )
        kwargs['meta'] = {**(kwargs.get('meta') or {}), STARTS: self._starts}
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


@contextmanager
def only_training_in(folder: str) -> Iterator[None]:
    """Hold a work dir for one training, of one or several processes; called in all of them.

    The main process holds a lock of POSIX on ``training.lock``: it ends with the process, however
    that ends, and workers that are forked do not hold it. Across machines it needs the lock service
    of the file system (NFS has one); without one it is said that nothing guards the folder.

    Raises:
        TrainingError: Another process holds it.
    """
    import fcntl  # Unix only

    problem: list[str | None] = [None]
    lock = None
    if is_main_process():
        lock = os.open(os.path.join(folder, 'training.lock'), os.O_RDWR | os.O_CREAT)
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            problem = ['another training writes to it']
        except OSError as error:
            print_log(
                f'{folder}: its file system has no locks ({error.strerror}), so nothing keeps a '
                'second training out',
                'current',
                logging.WARNING,
            )
    broadcast_object_list(problem)
    try:
        if problem[0]:
            raise TrainingError(f'{folder}: {problem[0]}, wait for it or give another --work-dir')
        yield
    finally:
        if lock is not None:
            os.close(lock)  # gives it back


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
