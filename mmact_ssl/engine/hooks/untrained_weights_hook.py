"""Check that every trainable weight of the student gets a gradient."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from mmact_ssl.engine.optimizers import unwrap_model, unwrap_optimizers
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import HOOKS


@HOOKS.register_module()
class UntrainedWeightsHook(Hook):
    """Stop before the first step if a trainable parameter of the backbone has no gradient.

    No task reaches such a parameter, and it keeps its random value. A gradient of zeros is no
    error: the task's weight may rise later, or the last scale of a block may start at zero.

    Raises:
        ConfigError: Such parameters exist; the error names them.
    """

    # Before NonFiniteHook, which removes gradients.
    priority = 'HIGH'
    _backbone: nn.Module
    _is_checked = False

    def before_train(self, runner: Runner) -> None:
        backbone = getattr(unwrap_model(runner.model), 'backbone', None)
        if backbone is not None:
            self._backbone = backbone
            # All optimizers step after the last backward pass of a step.
            for wrapper in unwrap_optimizers(runner.optim_wrapper):
                wrapper.optimizer.register_step_pre_hook(self._check)

    def _check(self, *_: Any) -> None:
        if self._is_checked:
            return
        self._is_checked = True
        parameters = self._backbone.named_parameters()
        trainable = {name: value for name, value in parameters if value.requires_grad}
        untrained = [name for name, value in trainable.items() if value.grad is None]
        if untrained:
            size = sum(trainable[name].numel() for name in untrained)
            fraction = size / sum(value.numel() for value in trainable.values())
            raise ConfigError(
                f'model.backbone: {len(untrained)} of {len(trainable)} trainable parameters '
                f'({fraction:.0%} of the values) get no gradient ({", ".join(untrained[:3])}'
                f'{", ..." if untrained[3:] else ""}): switch on a task of model.heads that reads '
                'their outputs, or freeze them'
            )
