"""Updates of the momentum copies."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.optim import Optimizer

from mmact_ssl.engine.optimizers import has_moved
from mmact_ssl.engine.unwrap import unwrap_model, unwrap_optimizers
from mmact_ssl.registry import HOOKS


@HOOKS.register_module()
class MomentumCopyHook(Hook):
    """Move each :class:`MomentumCopy` of the model once after each step of the optimizer.

    While gradients accumulate, and after a skipped step that is not finite, copies stand still, as
    the student does.

    A run that starts from the weights of another (``load_from`` without ``resume``) takes over
    student and heads, and copies start from them. Every module with a ``restart`` method restarts:
    queues, whose keys are of other weights and videos, balancers, learned weights of teachers, and
    the statistics of their targets.
    """

    def __init__(self) -> None:
        self._is_made = False  # True after a step of the student's optimizer in the iteration

    def before_train(self, runner: Runner) -> None:
        student = unwrap_optimizers(runner.optim_wrapper)[0]
        student.optimizer.register_step_post_hook(self._note_step)
        if not runner._resume:
            for module in runner.model.modules():
                if hasattr(module, 'restart'):
                    module.restart()
        for copy, source in _pairs(runner):
            copy.start(source, anew=not runner._resume)

    def _note_step(self, optimizer: Optimizer, *_: Any) -> None:
        self._is_made = has_moved(optimizer)

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
