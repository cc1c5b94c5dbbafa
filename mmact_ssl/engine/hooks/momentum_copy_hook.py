# SPDX-License-Identifier: Apache-2.0
"""Let momentum copies follow the student."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner

from mmact_ssl.registry import HOOKS


@HOOKS.register_module()
class MomentumCopyHook(Hook):
    """Move each :class:`MomentumCopy` of the model once after each step of the optimiser.

    Not after an iteration that only accumulates gradients, in which the student stands still. For
    models without a `momentum_pairs` method, or with none, there is nothing to do.
    """

    def before_train(self, runner: Runner) -> None:
        """Copy the student, now initialised or loaded, unless a resumed run brings its copy."""
        for copy, source in _pairs(runner):
            copy.start(source)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Follow the step, if there was one."""
        wrapper = runner.optim_wrapper
        # An adversary steps together with the student.
        wrapper = wrapper['student'] if isinstance(wrapper, OptimWrapperDict) else wrapper
        if wrapper.should_update():
            for copy, source in _pairs(runner):
                copy.follow(source)


def _pairs(runner: Runner) -> list:
    model: Any = runner.model.module if is_model_wrapper(runner.model) else runner.model
    return model.momentum_pairs() if hasattr(model, 'momentum_pairs') else []
