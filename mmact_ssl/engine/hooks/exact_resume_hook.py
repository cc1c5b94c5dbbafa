"""Save what mmengine's checkpoints leave out of a training."""

from __future__ import annotations

import zlib
from typing import Any

import torch
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmact_ssl.engine.unwrap import unwrap_model
from mmact_ssl.registry import HOOKS

KEY = 'exact_resume'  # in the checkpoint


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Make a resumed run equal to one that never stopped, wherever the checkpoint was saved.

    Beside what mmengine saves these belong to the state of a training:

    - how many batches of the epoch have been seen: a run that is resumed goes on with the next one
      (:class:`EpochTrainLoop`), without reading those before it;
    - the gradients of each process that wait for an accumulated step;
    - buffers of which each process has its own, such as the running statistics of batch
      normalization: momentum copies follow those of all. :class:`PretrainRunner` asks for them.

    Resumed with another number of batches an epoch (processes, batch size), the epoch begins anew,
    and :class:`PretrainRunner` fits the schedule. Our choice.
    """

    def __init__(self) -> None:
        self._batches = 0  # of the epoch, seen
        self._processes: list[dict[str, dict[str, Tensor]]] = []
        self._loaded: dict[str, Any] = {}

    def before_train(self, runner: Runner) -> None:
        if not self._loaded:
            return
        seen = self._loaded['seen']
        before, now = divisions(self._loaded, len(runner.train_dataloader))
        if before == now:
            runner.train_loop.first_batch = self._batches = seen
        elif seen:
            runner.logger.warning(
                f'epoch {runner.epoch + 1} begins anew: the checkpoint is from the middle of an '
                f'epoch of {before[0]} batches in each of {before[1]} processes, and now there are '
                f'{now[0]} in each of {now[1]}'
            )
        if len(self._loaded['processes']) == now[1]:
            own, model = self._loaded['processes'][get_rank()], unwrap_model(runner.model)
            for name, value in own['buffers'].items():
                model.get_buffer(name).copy_(value)
            # Gradients that wait for a step are of samples that an epoch begun anew has again.
            for name, value in own['gradients'].items() if before == now else ():
                parameter = model.get_parameter(name)
                parameter.grad = value.to(parameter.device)
        self._loaded = {}

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self._batches = batch_idx + 1

    def after_train_epoch(self, runner: Runner) -> None:
        self._batches = 0

    def before_saving(self, runner: Runner) -> None:
        """Collect what each process has of its own; called in all of them."""
        model = unwrap_model(runner.model)
        buffers = dict(model.named_buffers())
        sums = all_gather_object({name: _checksum(value) for name, value in buffers.items()})
        own = {
            'buffers': {n: v.cpu() for n, v in buffers.items() if len({s[n] for s in sums}) > 1},
            'gradients': {
                name: parameter.grad.cpu()
                for name, parameter in model.named_parameters()
                if parameter.grad is not None
            },
        }
        self._processes = all_gather_object(own)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        checkpoint[KEY] = dict(
            seen=self._batches,
            batches=len(runner.train_dataloader),
            processes=self._processes,
        )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        # The model is not loaded yet.
        self._loaded = checkpoint.get(KEY, {}) if runner._resume else {}


def divisions(saved: dict[str, Any], batches: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Batches an epoch and processes that share them, of a checkpoint's :data:`KEY` and now."""
    now = batches, get_world_size()
    # mmengine's own runner does not have the processes collected.
    return (saved['batches'], len(saved['processes']) or now[1]), now


def _checksum(value: Tensor) -> int:
    content = value.detach().flatten().cpu().view(torch.uint8)
    return zlib.crc32(content.numpy().tobytes())
