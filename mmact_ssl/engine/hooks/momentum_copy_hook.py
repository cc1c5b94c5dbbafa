"""Momentum copies follow the student."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.optim import Optimizer

from mmact_ssl.engine.unwrap import unwrap_model, unwrap_optimizers
from mmact_ssl.registry import HOOKS


@HOOKS.register_module()
class MomentumCopyHook(Hook):
    """Move each :class:`MomentumCopy` of the model once after each step of the optimizer.

    While gradients accumulate, and after a step that was skipped because it is not finite, copies
    stand still, as the student does.

    A run that starts from the weights of another (``load_from`` without ``resume``) takes over
    student and heads: copies start from them, queues are emptied, because their keys are of other
    weights and other videos; balancers, learned weights of teachers and the statistics of their
    targets restart, as every module that has a ``restart`` does.
    """

    def __init__(self) -> None:
        self._is_made = False  # whether an optimizer has made a step in the iteration

    def before_train(self, runner: Runner) -> None:
        for wrapper in unwrap_optimizers(runner.optim_wrapper):
            wrapper.optimizer.register_step_post_hook(self._note_step)
        if not runner._resume:
            for module in runner.model.modules():
                if hasattr(module, 'restart'):
                    module.restart()
        for copy, source in _pairs(runner):
            copy.start(source, anew=not runner._resume)

    def _note_step(self, optimizer: Optimizer, *_: Any) -> None:
        # NonFiniteHook takes the gradients away, and a step without any moves nothing.
        parameters = (p for group in optimizer.param_groups for p in group['params'])
        self._is_made |= any(parameter.grad is not None for parameter in parameters)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        if self._is_made:
            for copy, source in _pairs(runner):
                copy.follow(source)
        self._is_made = False


def _pairs(runner: Runner) -> list:
    model = unwrap_model(runner.model)
    return model.momentum_pairs() if hasattr(model, 'momentum_pairs') else []
