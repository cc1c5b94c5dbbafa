"""Base of hooks that read the tasks' gradients in the middle of a step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Union

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmact_ssl.engine.unwrap import unwrap_model, unwrap_optimizers
from mmact_ssl.errors import ConfigError
from mmact_ssl.models.balancers.shared_gradients import SharedGradients
from mmact_ssl.models.pretrainer import MultiTaskPretrainer


class StepObserver(Hook):
    """Calls :meth:`measure` in the first step and in each so many steps after it.

    Args:
        interval: Iterations from one measurement to the next.
    """

    def __init__(self, interval: int) -> None:
        self.interval = interval
        self.scale = 1.0  # of the losses in mixed precision

    @abstractmethod
    def measure(
        self, gradients: SharedGradients, weights: Mapping[str, Union[float, Tensor]]
    ) -> None:
        """Look at a step, between its forward and its backward pass."""

    def before_train(self, runner: Runner) -> None:
        self.pretrainer(runner)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        if runner.iter % self.interval == 0:
            scaler = getattr(unwrap_optimizers(runner.optim_wrapper)[0], 'loss_scaler', None)
            self.scale = 1.0 if scaler is None else float(scaler.get_scale())
            self.pretrainer(runner).loss_observers.append(self.measure)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        observers = self.pretrainer(runner).loss_observers
        if self.measure in observers:
            observers.remove(self.measure)

    def pretrainer(self, runner: Runner) -> MultiTaskPretrainer:
        """The model without its wrapper."""
        model = unwrap_model(runner.model)
        if not isinstance(model, MultiTaskPretrainer):
            raise ConfigError(
                f'{type(self).__name__} watches a MultiTaskPretrainer, and the model is a '
                f'{type(model).__name__}: take the hook out of default_hooks'
            )
        return model


def factors_of(gradients: SharedGradients, weights: Mapping[str, Union[float, Tensor]]) -> Tensor:
    """The tasks' weights in the order of the gradients, ``(K,)``."""
    return torch.stack([torch.as_tensor(weights[task]) for task in gradients.tasks]).detach()
