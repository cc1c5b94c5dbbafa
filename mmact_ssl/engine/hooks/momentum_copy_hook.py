"""Momentum copies follow the student."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmact_ssl.engine.optimizers import makes_step
from mmact_ssl.engine.unwrap import unwrap_model
from mmact_ssl.models.balancers.balancer import Balancer
from mmact_ssl.models.momentum.queue import FeatureQueue
from mmact_ssl.models.necks.target_pooling import RunningStandardizer
from mmact_ssl.registry import HOOKS


@HOOKS.register_module()
class MomentumCopyHook(Hook):
    """Move each :class:`MomentumCopy` of the model once after each step of the optimizer.

    A run that starts from the weights of another (``load_from`` without ``resume``) takes over
    student and heads: copies start from them, queues are emptied, because their keys are of other
    weights and other videos; balancers and the statistics of teachers' targets restart.
    """

    def before_train(self, runner: Runner) -> None:
        if not runner._resume:
            for module in runner.model.modules():
                if isinstance(module, FeatureQueue):
                    module.clear()
                elif isinstance(module, (Balancer, RunningStandardizer)):
                    module.restart()
        for copy, source in _pairs(runner):
            copy.start(source, anew=not runner._resume)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        if makes_step(runner.optim_wrapper):
            for copy, source in _pairs(runner):
                copy.follow(source)


def _pairs(runner: Runner) -> list:
    model = unwrap_model(runner.model)
    return model.momentum_pairs() if hasattr(model, 'momentum_pairs') else []
