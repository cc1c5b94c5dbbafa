"""Skipping of steps whose loss or gradient is not finite."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmengine.dist import all_gather_object, all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from mmact_ssl.engine.optimizers import has_moved, makes_step
from mmact_ssl.engine.unwrap import unwrap_model, unwrap_optimizers
from mmact_ssl.errors import TrainingError
from mmact_ssl.registry import HOOKS


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Skip training steps whose loss or gradient is NaN or infinite.

    A step is one of the optimizer, over several iterations if gradients accumulate. In a skipped
    step neither the student's nor the adversary's optimizer moves, and the buffers (running
    statistics, queues) get their values from before the step. A warning names the tasks at fault
    and the samples, and ``skipped_steps`` in the message hub counts them. All processes decide
    alike. A loss that is infinite with a finite gradient only causes a warning. In mixed precision
    the loss scale handles the gradients: it skips the optimizer that overflows, and falls. If a
    loss is not finite too, buffers follow the student's optimizer.

    The run stops after too many skipped steps in a row, at the end of an epoch with too many of
    them, and in mixed precision if the student has not moved in ``SCALED_LIMIT`` steps. Our choice.

    Args:
        max_in_a_row: Skipped steps in a row.
        max_fraction: Fraction of skipped steps in an epoch, 0..1; one step is always allowed.

    Raises:
        TrainingError: A limit is passed.
    """

    # Before MomentumCopyHook, which copies the buffers.
    priority = 'ABOVE_NORMAL'

    def __init__(self, max_in_a_row: int = 5, max_fraction: float = 0.05) -> None:
        self.max_in_a_row = max_in_a_row
        self.max_fraction = max_fraction
        self._in_a_row = 0
        self._steps, self._skipped_steps = 0, 0  # in the epoch
        # Of the step that has begun: buffers from before it, losses that are not finite, and the
        # samples of their iterations. ExactResumeHook saves it.
        self.open_step: dict[str, Any] | None = None
        self._is_checked, self._is_skipped, self._is_made = False, False, False  # of the step
        self._is_scaled, self._without_step = False, 0
        self._parameters: list[Tensor] = []

    def before_train(self, runner: Runner) -> None:
        wrappers = unwrap_optimizers(runner.optim_wrapper)
        scaler = getattr(wrappers[0], 'loss_scaler', None)  # that of all
        self._is_scaled = scaler is not None and scaler.is_enabled()
        for optimizer in (wrapper.optimizer for wrapper in wrappers):
            self._parameters += [p for group in optimizer.param_groups for p in group['params']]
            if not self._is_scaled:
                optimizer.register_step_pre_hook(self._check_gradients)
        wrappers[0].optimizer.register_step_post_hook(self._note_step)  # the student's

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        if self.open_step is not None:
            return
        buffers = unwrap_model(runner.model).named_buffers()
        before = {name: b.clone() for name, b in buffers if not name.startswith('teachers.')}
        self.open_step = dict(buffers=before, losses=[], samples=[])
        self._is_checked, self._is_skipped, self._is_made = False, False, False

    def _note_step(self, optimizer: Optimizer, *_: Any) -> None:
        self._is_made = has_moved(optimizer)

    def _check_gradients(self, *_: Any) -> None:
        """Remove gradients that are not finite before a step, which then changes nothing."""
        if self._is_checked:  # before the adversary's step, which comes first
            return
        self._is_checked = True
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        if gradients and not _are_finite(gradients):
            self._is_skipped = True
            for parameter in self._parameters:
                parameter.grad = None

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        step = self.open_step
        assert step is not None, 'before_train_iter has opened it'
        if wrong := _not_finite({n: v for n, v in (outputs or {}).items() if 'loss' in n}):
            step['losses'] += wrong
            step['samples'] += _names(data_batch)
        if not makes_step(runner.optim_wrapper):
            return
        self.open_step = None
        is_wrong = torch.tensor(float(self._is_skipped or bool(step['losses'])))
        all_reduce(is_wrong, op='max')
        self._steps += 1
        self._without_step = 0 if self._is_made else self._without_step + 1
        if self._is_scaled and self._without_step > SCALED_LIMIT:
            raise TrainingError(
                f'the student has made none of the last {self._without_step} steps: its gradients '
                f'are not finite at any loss scale: {FIX}'
            )
        if not is_wrong:
            self._in_a_row = 0
            return
        if not self._is_made:
            with torch.no_grad():
                for name, value in step['buffers'].items():
                    unwrap_model(runner.model).get_buffer(name).copy_(value)
        self._in_a_row += 1
        self._skipped_steps += 1
        count = runner.message_hub.runtime_info.get('skipped_steps', 0) + 1
        runner.message_hub.update_info('skipped_steps', count)
        message = f'step {runner.iter + 1}: {_describe(step["losses"], step["samples"])}'
        what = 'its gradient is: the step is made' if self._is_made else 'the step is skipped'
        runner.logger.warning(f'{message}: {what}, {count} so far')
        if self._in_a_row > self.max_in_a_row:
            raise TrainingError(f'{self._in_a_row} steps in a row are not finite, {message}: {FIX}')

    def after_train_epoch(self, runner: Runner) -> None:
        if self._skipped_steps > max(1, self.max_fraction * self._steps):
            raise TrainingError(
                f'{self._skipped_steps} of the {self._steps} steps of epoch {runner.epoch + 1} are '
                f'not finite, more than max_fraction={self.max_fraction} of NonFiniteHook: {FIX}'
            )
        self._steps, self._skipped_steps = 0, 0

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        checkpoint[KEY] = [self._steps, self._skipped_steps, self._in_a_row]

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        if runner._resume and KEY in checkpoint:
            self._steps, self._skipped_steps, self._in_a_row = checkpoint[KEY]


KEY = 'non_finite_steps'  # in the checkpoint
# Steps: the scale starts at 2**16 and is halved at each overflow.
SCALED_LIMIT = 500
FIX = (
    'look at the data, or begin a run in another work dir at a lower optim_wrapper.optimizer.lr, '
    'with load_from=FILE of an earlier checkpoint'
)


def check_weights(model: nn.Module, epoch: int) -> None:
    """Raise TrainingError if weights are not finite; all processes have the same."""
    if not _are_finite([parameter.detach() for parameter in model.parameters()]):
        raise TrainingError(f'weights are not finite in epoch {epoch + 1}: {FIX}')


def _not_finite(losses: dict[str, Any]) -> list[str]:
    """Names of losses that are not finite, with one transfer from a GPU."""
    values = [torch.as_tensor(value).detach() for value in losses.values()]
    if not values:
        return []
    device = next((v.device for v in values if v.device.type != 'cpu'), None)
    values = [value.to(device, torch.float32) for value in values]
    totals = torch.stack([value.sum() if value.ndim else value for value in values])
    known = totals.isfinite().tolist()
    return [name for name, is_finite in zip(losses, known) if not is_finite]


def _are_finite(tensors: list[Tensor]) -> bool:
    """Check the norm, and the largest value if a sum of squares has overflowed."""
    return any(bool(get_total_norm(tensors, order).isfinite()) for order in (2.0, math.inf))


def _names(data_batch: Any) -> list[str]:
    batch = data_batch if isinstance(data_batch, dict) else {}
    return [sample.metainfo.get('filename', '') for sample in batch.get('data_samples', [])]


def _describe(wrong: list[str], samples: list[str]) -> str:
    """Describe the losses that are not finite, and their samples, in all processes."""
    gathered = all_gather_object((wrong, samples))
    losses = sorted({name for names, _ in gathered for name in names} - {'loss'})
    files = [name for _, names in gathered for name in names if name]
    if not any(names for names, _ in gathered):
        return 'the losses are finite and their gradient is not'
    shown = f' (samples {", ".join(files[:4])}{", ..." if files[4:] else ""})' if files else ''
    return f'{", ".join(losses) or "the loss"} not finite{shown}'
