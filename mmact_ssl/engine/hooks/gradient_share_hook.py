"""Logging of each task's share of the student's gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmact_ssl.engine.optimizers import unwrap_model, unwrap_optimizers
from mmact_ssl.errors import ConfigError
from mmact_ssl.models.balancers.shared_gradients import SharedGradients
from mmact_ssl.models.pretrainer import MultiTaskPretrainer
from mmact_ssl.registry import HOOKS


@HOOKS.register_module()
class GradientShareHook(Hook):
    """Log each task's share of the gradient that reaches the student.

    ``share/<task> = w_k |g_k| / sum_j w_j |g_j|`` with ``g_k`` the gradient of task k's loss on the
    feature maps of all encoded views and ``w_k`` its weight, before any projection: 0..1, near 0
    for a task that does not teach the student, whatever its loss. The discriminators' own losses do
    not count: their gradient does not reach the maps. Training is unchanged to the bit. Our choice.

    A subclass that overrides :meth:`measure` and :meth:`log` reads the gradients for something
    else.

    Args:
        interval: Iterations between measurements, beginning at the first iteration. A measurement
            costs a backward pass through the heads.
    """

    scale = 1.0  # of the losses in mixed precision
    _measured: Any = None

    def __init__(self, interval: int = 20) -> None:
        self.interval = interval

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        model = unwrap_model(runner.model)
        if not isinstance(model, MultiTaskPretrainer):
            raise ConfigError(
                f'{type(self).__name__} watches a MultiTaskPretrainer, and the model is a '
                f'{type(model).__name__}: take the hook out of default_hooks'
            )
        if runner.iter % self.interval == 0:
            scaler = getattr(unwrap_optimizers(runner.optim_wrapper)[0], 'loss_scaler', None)
            self.scale = 1.0 if scaler is None else float(scaler.get_scale())
            model.loss_observers.append(self._observe)

    def _observe(self, gradients: SharedGradients, weights: Mapping[str, float | Tensor]) -> None:
        factors = torch.stack([torch.as_tensor(weights[task]) for task in gradients.tasks])
        self._measured = self.measure(gradients, factors.detach())

    def measure(self, gradients: SharedGradients, factors: Tensor) -> Any:
        """Measure a step between its forward and its backward pass.

        Args:
            factors: The tasks' weights in the order of the gradients, ``(K,)``.
        """
        norms = gradients.norms_on_maps(self.scale)
        norms = norms * factors.to(norms)
        # If one norm overflows in half precision, all shares are unknown.
        total = norms.sum() if norms.isfinite().all() else norms.new_tensor(float('nan'))
        return dict(zip(gradients.tasks, norms / total))

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        if self._measured is not None:
            unwrap_model(runner.model).loss_observers.remove(self._observe)
            measured, self._measured = self._measured, None
            self.log(runner, measured)

    def log(self, runner: Runner, measured: Any) -> None:
        """Log the result of :meth:`measure` after the step."""
        for task, share in measured.items():
            runner.message_hub.update_scalar(f'train/share/{task}', float(share))
