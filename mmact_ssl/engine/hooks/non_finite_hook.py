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

from mmact_ssl.engine.optimizers import has_moved, makes_step, unwrap_model, unwrap_optimizers
from mmact_ssl.errors import TrainingError
from mmact_ssl.registry import HOOKS

FIX = (
    'look at the data, or begin a run in another work dir at a lower optim_wrapper.optimizer.lr, '
    'with load_from=FILE of an earlier checkpoint'
)


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Skip training steps whose loss or gradient is NaN or infinite.

    In a skipped step no optimizer moves, and the buffers (running statistics, queues) get their
    values from before the iteration. A warning names the losses and the samples, and
    ``skipped_steps`` in the message hub counts the steps. All processes decide alike. In mixed
    precision the loss scale skips the steps. Our choice.

    Args:
        max_in_a_row: Skipped steps in a row that are allowed. A loss scale needs up to 16.

    Raises:
        TrainingError: More steps in a row are skipped.
    """

    # Before EMAHook, which copies the buffers.
    priority = 'ABOVE_NORMAL'
    _in_a_row = 0

    def __init__(self, max_in_a_row: int = 20) -> None:
        self.max_in_a_row = max_in_a_row

    def before_train(self, runner: Runner) -> None:
        wrappers = unwrap_optimizers(runner.optim_wrapper)
        scaler = getattr(wrappers[0], 'loss_scaler', None)  # that of all
        self._parameters: list[Tensor] = []
        for optimizer in (wrapper.optimizer for wrapper in wrappers):
            self._parameters += [p for group in optimizer.param_groups for p in group['params']]
            if scaler is None or not scaler.is_enabled():
                optimizer.register_step_pre_hook(self._check_gradients)
        wrappers[0].optimizer.register_step_post_hook(self._note_step)  # the student's

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        buffers = unwrap_model(runner.model).named_buffers()
        self._buffers = {n: b.clone() for n, b in buffers if not n.startswith('teachers.')}
        self._is_checked, self._is_made = False, False

    def _check_gradients(self, *_: Any) -> None:
        """Remove gradients that are not finite before a step, which then changes nothing."""
        if self._is_checked:  # before the adversary's step, which comes first
            return
        self._is_checked = True
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        if gradients and not _are_finite(gradients):
            for parameter in self._parameters:
                parameter.grad = None

    def _note_step(self, optimizer: Optimizer, *_: Any) -> None:
        self._is_made = has_moved(optimizer)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        wrong = _not_finite({n: v for n, v in (outputs or {}).items() if 'loss' in n})
        is_skipped = makes_step(runner.optim_wrapper) and not self._is_made
        is_wrong = torch.tensor(float(is_skipped or bool(wrong)))
        all_reduce(is_wrong, op='max')
        if self._is_made:
            self._in_a_row = 0
        if not is_wrong:
            return
        if not self._is_made:
            with torch.no_grad():
                for name, value in self._buffers.items():
                    unwrap_model(runner.model).get_buffer(name).copy_(value)
        count = runner.message_hub.runtime_info.get('skipped_steps', 0) + is_skipped
        runner.message_hub.update_info('skipped_steps', count)
        message = f'step {runner.iter + 1}: {_describe(wrong, data_batch)}, {count} steps skipped'
        runner.logger.warning(message)
        self._in_a_row += is_skipped
        if self._in_a_row > self.max_in_a_row:
            raise TrainingError(f'{self._in_a_row} steps in a row are skipped, {message}: {FIX}')


def check_weights(model: nn.Module, epoch: int) -> None:
    """Raise TrainingError if weights are not finite; all processes have the same."""
    if not _are_finite([parameter.detach() for parameter in model.parameters()]):
        raise TrainingError(f'weights are not finite in epoch {epoch + 1}: {FIX}')


def _not_finite(losses: dict[str, Any]) -> list[str]:
    """Names of losses that are not finite, with one transfer from a GPU."""
    if not losses:
        return []
    values = [torch.as_tensor(value).detach().float().sum() for value in losses.values()]
    device = next((value.device for value in values if value.device.type != 'cpu'), None)
    are_finite = torch.stack([value.to(device) for value in values]).isfinite().tolist()
    return [name for name, is_finite in zip(losses, are_finite) if not is_finite]


def _are_finite(tensors: list[Tensor]) -> bool:
    """Check the norm, and the largest value if a sum of squares has overflowed."""
    return any(bool(get_total_norm(tensors, order).isfinite()) for order in (2.0, math.inf))


def _describe(wrong: list[str], data_batch: Any) -> str:
    """Name the losses that are not finite, and their samples, of all processes."""
    samples = data_batch.get('data_samples') or [] if isinstance(data_batch, dict) else []
    files = [sample.metainfo.get('filename', '') for sample in samples] if wrong else []
    gathered = all_gather_object((wrong, files))
    losses = sorted({name for names, _ in gathered for name in names})
    files = [name for _, names in gathered for name in names if name]
    shown = f' (samples {", ".join(files[:4])}{", ..." if files[4:] else ""})' if files else ''
    return f'{", ".join(losses) or "the gradient"} not finite{shown}'
