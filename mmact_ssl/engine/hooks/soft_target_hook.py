"""C2VL's progressive softening of targets."""

from __future__ import annotations

import math
from typing import Any, cast

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads import PromptMatchingHead
from mmact_ssl.registry import HOOKS


@HOOKS.register_module()
class SoftTargetHook(Hook):
    """Soften a prompt matching head's targets more and more.

    Before step i of I, ``alpha = alpha_max * (1 - cos(pi * i / I)) / 2``. That the targets soften
    progressively is published (C2VL, arXiv 2405.20606); the cosine is our choice. A resumed run
    goes on where it was, for alpha depends on the step alone.

    Args:
        alpha_max: At the end of training, 0 (targets stay hard) .. 1.
        schedule: ``'cosine'``, or ``'constant'``: ``alpha_max`` all the time.
        task: Name of the head in ``model.heads``.

    Raises:
        ConfigError: ``alpha_max`` or ``schedule`` is none of these, or the task is another head.
    """

    def __init__(
        self, alpha_max: float = 0.5, schedule: str = 'cosine', task: str = 'prompts'
    ) -> None:
        if not 0 <= alpha_max <= 1 or schedule not in ('cosine', 'constant'):
            raise ConfigError(
                f'SoftTargetHook: alpha_max={alpha_max} must be within 0 and 1, '
                f"schedule={schedule!r} 'cosine' or 'constant'"
            )
        self.alpha_max = alpha_max
        self.schedule = schedule
        self.task = task

    def alpha(self, progress: float) -> float:
        """What the head gets at a share of the training, 0 .. 1."""
        if self.schedule == 'constant':
            return self.alpha_max
        return self.alpha_max * (1 - math.cos(math.pi * progress)) / 2

    def before_train(self, runner: Runner) -> None:
        """Fail before the first step if there is no such head."""
        if not isinstance(self._heads(runner).get(self.task), PromptMatchingHead):
            raise ConfigError(
                f'SoftTargetHook: model.heads.{self.task} is no PromptMatchingHead: correct task, '
                'or take the hook out of custom_hooks'
            )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set alpha."""
        head = cast(PromptMatchingHead, self._heads(runner)[self.task])
        head.alpha = self.alpha(runner.iter / max(runner.max_iters, 1))

    @staticmethod
    def _heads(runner: Runner) -> dict:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        return dict(getattr(model, 'heads', {}))
