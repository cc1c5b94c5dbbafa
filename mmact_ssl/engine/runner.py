"""The runner of pre-training: resumes safely, saves whole checkpoints, ends with a clear error."""

from __future__ import annotations

import atexit
import gc
import os
import re
import shutil
import threading
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import broadcast_object_list, get_rank, is_main_process, master_only
from mmengine.hooks import LoggerHook
from mmengine.logging import MMLogger
from mmengine.optim import ConstantParamScheduler, LinearParamScheduler
from mmengine.optim.scheduler.param_scheduler import INF
from mmengine.runner import BaseLoop, Runner
from torch import nn

from mmact_ssl.datasets.loading import build_dataloader, end_workers
from mmact_ssl.engine.hooks.exact_resume_hook import collect_process_states
from mmact_ssl.engine.hooks.non_finite_hook import check_weights
from mmact_ssl.engine.hooks.stop_signal_hook import StopSignalHook
from mmact_ssl.engine.optimizers import unwrap_model, unwrap_optimizers
from mmact_ssl.engine.same_run import RUN, check_same_run, describe_run, plain
from mmact_ssl.engine.terminal import quiet_the_screen
from mmact_ssl.errors import (
    CLEAR,
    CheckpointError,
    ConfigError,
    DataError,
    TrainingError,
    config_mistake,
    reason_of,
)
from mmact_ssl.io.checkpoint_file import (
    STARTS,
    newest_checkpoint,
    read_state_dict,
    saved_checkpoints,
)
from mmact_ssl.io.files import reading
from mmact_ssl.io.student_file import RECORD
from mmact_ssl.version import __version__


class PretrainRunner(Runner):
    """mmengine's runner with exact resuming, a quiet screen, and errors that name their fix.

    The methods stand in the order in which mmengine calls them.
    """

    build_dataloader = staticmethod(build_dataloader)
    _resume: bool | str
    _load_from: str | None
    process_states: list[dict[str, Any]]  # at the last save, see ExactResumeHook
    _undo: Any = staticmethod(lambda: None)  # of what the start has written
    _starts: int | None = None  # number of trainings started in the work dir, this one included

    @classmethod
    def from_cfg(cls, cfg: Config) -> Runner:
        """Build a runner; any error of a part is a ConfigError that names the config."""
        undo = partial(remove_others, Path(cfg.work_dir), {*Path(cfg.work_dir).glob('*')})
        try:
            runner = super().from_cfg(cfg)
            runner._undo = undo
        except BaseException as error:
            undo()
            if isinstance(error, CLEAR) or not isinstance(error, Exception):
                raise
            raise config_mistake(cfg.filename, error) from error
        finally:
            if torch.distributed.is_initialized():
                atexit.register(end_process_group)
        if runner.deterministic:
            # cuBLAS reads it once, before its first product.
            os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
            # On a GPU max pooling and trilinear interpolation have no deterministic gradient;
            # mmengine's setting would raise an error at the first step.
            torch.use_deterministic_algorithms(True, warn_only=True)
        return runner

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        logger = super().build_logger(*args, **kwargs)
        quiet_the_screen(logger)
        return logger

    def train(self) -> nn.Module:
        """Train to the end of the schedule, and end the workers.

        Raises:
            TrainingError: Another process of the training has ended.
            DataError: No batch came in time.
            ConfigError: Anything else failed in the first step; later errors keep their traceback.
        """
        try:
            return super().train()
        except CLEAR:
            raise
        except Exception as error:
            if 'DataLoader timed out' in str(error):
                raise DataError(
                    f'no batch has come for {self.train_dataloader.timeout:g} seconds: check the '
                    'disk of the data, or raise train_dataloader.timeout'
                ) from error
            if re.search('Connection (closed|reset) by peer|Timed out|[Tt]imeout', str(error)):
                raise TrainingError(
                    f'rank {get_rank()}: another process of the training has ended or stands still '
                    f"({reason_of(error)}): read its launcher's output, go on with --resume"
                ) from error
            if isinstance(self._train_loop, BaseLoop) and self._train_loop.iter:
                raise
            task = getattr(unwrap_model(self.model), 'current_task', None)
            wrong = f'model.heads.{task} does not fit its inputs or targets' if task else None
            raise config_mistake(wrong or self.cfg.filename, error) from error
        finally:
            if not (isinstance(self._train_loop, BaseLoop) and self._train_loop.iter):
                self._undo()
            end_workers(getattr(self._train_loop, 'dataloader', None))
            for hook in self.hooks:
                if isinstance(hook, StopSignalHook):
                    hook.give_signals_back()

    def scale_lr(self, optim_wrapper: Any, auto_scale_lr: dict | None = None) -> None:
        """Scale the learning rate, or warn of another batch size; accumulated batches count."""
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

    def build_param_scheduler(self, scheduler: Any) -> Any:
        """Build the schedules, and warn of one that goes on after the end of the training.

        A warm-up of one step ends after that step; mmengine's would keep its first value.
        """
        built = super().build_param_scheduler(scheduler)
        for schedule in chain.from_iterable(built.values() if isinstance(built, dict) else [built]):
            is_warm_up = isinstance(schedule, (ConstantParamScheduler, LinearParamScheduler))
            if is_warm_up and schedule.total_iters == 0:
                schedule.total_iters, schedule.end = 1, schedule.end + 1
            last = self.max_epochs if schedule.by_epoch else self.max_iters
            if last < schedule.end < INF:
                self.logger.warning(
                    f'a schedule in param_scheduler ends at step {schedule.end}, the training at '
                    f'{last}: shorten it, docs/start/train.md#a-shorter-run'
                )
        return built

    def load_or_resume(self) -> None:
        """Resume from the newest undamaged checkpoint of the work dir, unless one is named.

        With ``resume='auto'`` a run without a checkpoint starts from the config's ``load_from``.
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

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Continue from a checkpoint; ConfigError if it does not fit this config's training."""
        fix = 'resume from a checkpoint that training with this config has saved'
        with reading(filename, fix, ConfigError):
            super().resume(filename, *args, **kwargs)
        if self.epoch >= self.max_epochs:
            self.logger.warning(
                f'epoch {self.epoch} of {self.max_epochs} is done, nothing is left to train: '
                'train_cfg sets the number of epochs or steps'
            )

    def load_checkpoint(self, filename: str, *args: Any, **kwargs: Any) -> dict:
        """Load weights; on resume strictly, and with the state of a training.

        Raises:
            CheckpointError: No weight fits, or there is no state to resume from.
        """
        if not self._resume:
            # Without buffers: a counter has one shape in all networks.
            shapes = {n: p.shape for n, p in unwrap_model(self.model).named_parameters()}
            with reading(filename, 'correct load_from', CheckpointError):
                loaded = super().load_checkpoint(filename, *args, **kwargs)
            weights = read_state_dict(filename, loaded)
            if not any(getattr(weights.get(n), 'shape', None) == shapes[n] for n in shapes):
                raise CheckpointError(
                    f'{filename}: no weight has a name and shape of this model '
                    f'({next(iter(shapes))}, ... there: {next(iter(weights), None)}, ...); load a '
                    'bare backbone by '
                    "model.backbone.init_cfg=dict(type='Pretrained', checkpoint=FILE)"
                )
            return loaded
        loaded = super().load_checkpoint(filename, *args, **{**kwargs, 'strict': True})
        if 'epoch' not in loaded.get('meta', {}) or 'optimizer' not in loaded:
            raise CheckpointError(
                f'{filename}: holds weights and no state of a training run: start a new run from '
                'them with load_from, without --resume'
            )
        check_same_run(self, filename, loaded)
        return loaded

    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        """Save a complete checkpoint or none; call it in all processes.

        Raises:
            TrainingError: Weights are not finite.
        """
        model = unwrap_model(self.model)
        check_weights(model, self.epoch)
        self.process_states = collect_process_states(model)
        self._save_whole(out_dir, filename, *args, **kwargs)

    @master_only
    def _save_whole(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        if self._starts is None:
            self._starts = 1 + max((saved[0] for saved in saved_checkpoints(out_dir)), default=0)
        meta = kwargs.get('meta') or {}
        record = {**self.cfg[RECORD], 'version': __version__} if RECORD in self.cfg else None
        known = {STARTS: self._starts, RUN: describe_run(self), RECORD: plain(record)}
        kwargs['meta'] = {**meta, **known}
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
        """Test, and log in the main process only: mmengine's hooks would all write one file."""
        for hook in self.hooks:
            if isinstance(hook, LoggerHook):
                hook.after_test_epoch = master_only(hook.after_test_epoch)
        return super().test()


def remove_others(folder: Path, known: set[Path]) -> None:
    """Remove from a work dir the logs and the config that a refused start has written."""
    for path in {*folder.glob('*')} - known if is_main_process() else ():
        if re.fullmatch(r'.*\.py|\d{8}_\d{6}', path.name):  # not what another program writes there
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    with suppress(OSError):  # an earlier run has written to it, or it is not there
        folder.rmdir()


def end_process_group(patience: float = 30.0) -> None:
    """End the threads of the process group, which could abort the interpreter's exit.

    They end once nothing refers to the group. The model's wrapper does, in the runner's cycles of
    references, so these are collected first. On a busy machine gloo's join sometimes never returns:
    the program ends without it after ``patience`` seconds.
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
