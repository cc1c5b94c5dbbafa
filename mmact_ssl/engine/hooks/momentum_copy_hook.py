"""Updates of the momentum copies."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.optim import Optimizer

from mmact_ssl.engine.optimizers import has_moved, unwrap_model, unwrap_optimizers
from mmact_ssl.registry import HOOKS


@HOOKS.register_module()
class MomentumCopyHook(Hook):
    """Move each :class:`MomentumCopy` of the model once after each step of the optimizer.

    If one copy warms up, all do: else the copy of a projector is newer or older than the features
    that it projects. While gradients accumulate, and after a skipped step that is not finite,
    copies stand still, as the student does. Every module with a method ``after_step``, such as
    DINO's center, moves with them.

    A run that starts from the weights of another (``load_from`` without ``resume``) takes over
    student and heads, and copies start from them. Every module with a ``restart`` method restarts:
    queues, whose keys are of other weights and videos, balancers, learned weights of teachers, and
    the statistics of their targets.
    """

    def before_train(self, runner: Runner) -> None:
        model = unwrap_model(runner.model)
        if not runner._resume:
            for module in model.modules():
                if hasattr(module, 'restart'):
                    module.restart()
        pairs = model.momentum_pairs() if hasattr(model, 'momentum_pairs') else []
        warm_up = any(copy.warms_up for copy, _ in pairs)
        for copy, source in pairs:
            copy.warms_up = warm_up
            copy.start(source, anew=not runner._resume)

        moving = [module for module in model.modules() if hasattr(module, 'after_step')]

        def follow(optimizer: Optimizer, *_: Any) -> None:
            if has_moved(optimizer):
                for copy, source in pairs:
                    copy.follow(source)
                for module in moving:
                    module.after_step()

        student = unwrap_optimizers(runner.optim_wrapper)[0]
        student.optimizer.register_step_post_hook(follow)
