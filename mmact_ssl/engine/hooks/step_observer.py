"""Base of hooks that read the tasks' gradients in the middle of a step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmact_ssl.engine.unwrap import unwrap_model, unwrap_optimizers
from mmact_ssl.errors import ConfigError
from mmact_ssl.models.balancers.shared_gradients import SharedGradients
from mmact_ssl.models.pretrainer import MultiTaskPretrainer


class StepObserver(Hook):
    """Measures and logs a step every ``interval`` iterations, beginning with the first."""

    def __init__(self, interval: int) -> None:
        self.interval = interval
        self.scale = 1.0  # of the losses in mixed precision
        self._measured: Any = None

    @abstractmethod
    def measure(self, gradients: SharedGradients, factors: Tensor) -> Any:
        """Measure a step between its forward and its backward pass.

        Args:
            factors: The tasks' weights in the order of the gradients, ``(K,)``.
        """

    @abstractmethod
    def log(self, runner: Runner, measured: Any) -> None:
        """Log the result of :meth:`measure` after the step."""

    def before_train(self, runner: Runner) -> None:
        self._pretrainer(runner)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        if runner.iter % self.interval == 0:
            scaler = getattr(unwrap_optimizers(runner.optim_wrapper)[0], 'loss_scaler', None)
            self.scale = 1.0 if scaler is None else float(scaler.get_scale())
            self._pretrainer(runner).loss_observers.append(self._observe)

    def _observe(self, gradients: SharedGradients, weights: Mapping[str, float | Tensor]) -> None:
        factors = torch.stack([torch.as_tensor(weights[task]) for task in gradients.tasks])
        self._measured = self.measure(gradients, factors.detach())

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        if self._measured is not None:
            self._pretrainer(runner).loss_observers.remove(self._observe)
            measured, self._measured = self._measured, None
            self.log(runner, measured)

    def _pretrainer(self, runner: Runner) -> MultiTaskPretrainer:
        model = unwrap_model(runner.model)
        if not isinstance(model, MultiTaskPretrainer):
            raise ConfigError(
                f'{type(self).__name__} watches a MultiTaskPretrainer, and the model is a '
                f'{type(model).__name__}: take the hook out of default_hooks'
            )
        return model
