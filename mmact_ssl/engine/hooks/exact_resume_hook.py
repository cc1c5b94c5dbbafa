"""The state of a training that mmengine's checkpoints lack."""

from __future__ import annotations

import zlib
from typing import Any

import torch
from mmengine.dist import all_gather_object, get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from mmact_ssl.engine.loops import EpochTrainLoop
from mmact_ssl.engine.optimizers import unwrap_model
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import HOOKS

KEY = 'exact_resume'  # in the checkpoint


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Make a resumed run equal to one that never stopped, wherever the checkpoint was saved.

    Beside mmengine's state a checkpoint gets:

    - the number of batches seen in the epoch: a resumed run goes on with the next batch
      (:class:`EpochTrainLoop`), without reading the batches before it;
    - each process's gradients that wait for an accumulated step;
    - each process's own buffers, such as the running statistics of batch normalization, which
      momentum copies follow. :class:`PretrainRunner` collects them.

    Our choice.
    """

    def __init__(self) -> None:
        self._batches = 0  # seen in the epoch
        self._loaded: dict[str, Any] = {}

    def before_train(self, runner: Runner) -> None:
        if not isinstance(runner.train_loop, EpochTrainLoop):
            raise ConfigError(
                'ExactResumeHook needs a loop that resumes within an epoch: set '
                "train_cfg.type='EpochTrainLoop' (or 'StepsTrainLoop') or remove the hook"
            )
        if not self._loaded:
            return
        runner.train_loop.first_batch = self._batches = self._loaded['seen']
        if self._loaded['processes']:  # mmengine's own runner collects none
            own, model = self._loaded['processes'][get_rank()], unwrap_model(runner.model)
            for name, value in own['buffers'].items():
                model.get_buffer(name).copy_(value)
            for name, value in own['gradients'].items():
                parameter = model.get_parameter(name)
                parameter.grad = value.to(parameter.device)
        self._loaded = {}

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self._batches = batch_idx + 1

    def after_train_epoch(self, runner: Runner) -> None:
        self._batches = 0

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        checkpoint[KEY] = dict(seen=self._batches, processes=getattr(runner, 'process_states', []))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        if not runner._resume or KEY not in checkpoint:
            return
        self._loaded = checkpoint[KEY]  # the model is not loaded yet


def collect_process_states(model: nn.Module) -> list[dict[str, Any]]:
    """Gather each process's own buffers and gradients; call it in all processes."""
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
    return all_gather_object(own)


def _checksum(value: Tensor) -> int:
    content = value.detach().flatten().cpu().view(torch.uint8)
    return zlib.crc32(content.numpy().tobytes())
