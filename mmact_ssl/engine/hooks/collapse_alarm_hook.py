"""Warnings about a training that learns nothing."""

from __future__ import annotations

from collections import Counter

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmact_ssl.registry import HOOKS


@HOOKS.register_module()
class CollapseAlarmHook(Hook):
    """Warn once of each sign that a pretext task teaches the student nothing.

    The hook looks at the end of each epoch, and warns if, for ``patience`` epochs in a row (also
    across a resume):

    - ``<view>.<feature>/feature_std`` or ``effective_rank`` is low: all clips have one feature;
    - ``share/<task>`` is low: the task's gradient does not reach the student;
    - ``<task>/accuracy`` is no better than ``<task>/chance``: over the ``window`` last steps it is
      less than two standard errors above it. Half of all guesses are above it by noise.

    The first two are measured once in some steps, so that their last ``patience`` values count:
    older ones are of earlier epochs.

    Args:
        feature_std: Lowest deviation of the features, 1 where they are spread evenly.
        effective_rank: Lowest effective rank, see :func:`effective_rank`.
        share: Lowest share of the student's gradient, see :class:`GradientShareHook`.

    Source: our choice.
    """

    def __init__(
        self,
        feature_std: float = 0.05,
        effective_rank: float = 1.5,
        share: float = 1e-3,
        patience: int = 3,
        window: int = 20,
    ) -> None:
        self.limits = dict(feature_std=feature_std, effective_rank=effective_rank)
        self.share = share
        self.patience = patience
        self.window = window
        self._epochs: Counter[str] = Counter()

    def after_train_epoch(self, runner: Runner) -> None:
        messages = self.alarms(runner)
        self._epochs = Counter({name: self._epochs[name] + 1 for name in messages})
        for name, message in messages.items():
            if self._epochs[name] == self.patience:
                runner.logger.warning(
                    f'{message} in the last {self.patience} epochs: see docs/start/faq.md'
                )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        checkpoint['collapse_alarm'] = dict(self._epochs)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        if runner._resume:
            self._epochs = Counter(checkpoint.get('collapse_alarm'))

    def alarms(self, runner: Runner) -> dict[str, str]:
        """Messages of the current alarms, by the name of the logged number."""
        messages = {}
        scalars = runner.message_hub.log_scalars
        means, noise = {}, {}
        for key, history in scalars.items():
            number = self.window if key.endswith(('/accuracy', '/chance')) else self.patience
            values = history.data[0][-number:]
            values = values[np.isfinite(values)]
            if key.startswith('train/') and len(values):
                name = key[len('train/') :]
                means[name] = float(values.mean())
                noise[name] = 2 * float(values.std()) / len(values) ** 0.5
        for name, value in means.items():
            what, _, kind = name.rpartition('/')
            if kind in self.limits and value < self.limits[kind]:
                messages[name] = f'{what} has collapsed: its {kind} is {value:.3g}'
            elif kind == 'accuracy' and value - noise[name] <= means.get(f'{what}/chance', -np.inf):
                messages[name] = f'the task {what!r} is no better than chance ({value:.3g})'
            elif what == 'share' and value < self.share:
                messages[name] = (
                    f'the task {kind!r} does not teach the student: its share of the gradient is '
                    f'{value:.3g}'
                )
        return messages
