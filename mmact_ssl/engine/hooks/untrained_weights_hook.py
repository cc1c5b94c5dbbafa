"""Stop a run whose student gets no gradient."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from mmact_ssl.engine.unwrap import unwrap_model, unwrap_optimizers
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import HOOKS


@HOOKS.register_module()
class UntrainedWeightsHook(Hook):
    """Stop before the first step if a trainable parameter of the backbone has no gradient.

    No task reaches such a parameter, and it keeps its random value. A gradient of zeros counts as
    one: that of a task whose weight rises later, or of a block whose last scale starts at zero.

    Raises:
        ConfigError: Names the parameters.
    """

    # Before NonFiniteHook, which takes gradients away.
    priority = 'HIGH'
    _backbone: nn.Module
    _is_checked = False

    def before_train(self, runner: Runner) -> None:
        backbone = getattr(unwrap_model(runner.model), 'backbone', None)
        if backbone is not None:
            self._backbone = backbone
            # All optimizers step after one backward pass, or after those that accumulate.
            for wrapper in unwrap_optimizers(runner.optim_wrapper):
                wrapper.optimizer.register_step_pre_hook(self._check)

    def _check(self, *_: Any) -> None:
        if self._is_checked:
            return
        self._is_checked = True
        named = self._backbone.named_parameters()
        trainable = {name: value for name, value in named if value.requires_grad}
        untrained = [name for name, value in trainable.items() if value.grad is None]
        if untrained:
            size = sum(trainable[name].numel() for name in untrained)
            fraction = size / sum(value.numel() for value in trainable.values())
            raise ConfigError(
                f'model.backbone: {len(untrained)} of {len(trainable)} trainable parameters '
                f'({fraction:.0%} of the values) get no gradient ({", ".join(untrained[:3])}'
                f'{", ..." if untrained[3:] else ""}): switch on a task of model.heads that reads '
                'what they make, or freeze them'
            )
