"""Averaging of the processes' running statistics."""

from __future__ import annotations

from mmengine import dist
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmact_ssl.registry import HOOKS


@HOOKS.register_module()
class SyncBuffersHook(Hook):
    """mmengine's hook of this name, for floating-point buffers only.

    mmengine averages all buffers in float32, which would round the integer numbers of videos in a
    queue. Integers are the same in all processes anyway.
    """

    def after_train_epoch(self, runner: Runner) -> None:
        """Average over the processes."""
        buffers = (value for value in runner.model.buffers() if value.is_floating_point())
        dist.all_reduce_params(buffers, op='mean')
