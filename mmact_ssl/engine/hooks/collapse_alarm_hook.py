"""Warnings about a training that learns nothing."""

from __future__ import annotations

from collections import Counter

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmact_ssl.models.losses.statistics import is_no_larger
from mmact_ssl.registry import HOOKS

PATIENCE = 3  # epochs in a row
WINDOW = 20  # steps over which a metric is compared with a trivial answer
# Lowest values of the features, whose std is 1 where they are spread evenly, and of the gradient.
LOWEST = {'feature_std': 0.05, 'effective_rank': 1.5, 'share': 1e-3}
LEAST_SPREAD = 0.3  # lowest feature_std of projections with the error of a constant answer


@HOOKS.register_module()
class CollapseAlarmHook(Hook):
    """Warn once of each sign that a pretext task teaches the student nothing.

    The hook looks at the end of each epoch, and warns if, for :data:`PATIENCE` epochs in a row:

    - ``feature_std`` or ``effective_rank`` of a view's feature, or ``feature_std`` of a head's
      projection, is low: all clips have one feature;
    - ``share/<task>`` is low: the task's gradient does not reach the student;
    - ``<task>/accuracy`` is no better than ``<task>/chance``: over the last steps it is less than
      two standard errors above it. Half of all guesses are above it by noise;
    - ``<task>/error`` is no better than ``<task>/error_constant`` in the same sense, while the
      head's projections are close to each other. An accuracy ranks the clips, and does not see that
      all of them are nearly alike; an error alone is high before a task is learned.

    Of the first two, measured once in some steps, only the values of the last epochs count.
    """

    def __init__(self) -> None:
        self._epochs: Counter[str] = Counter()

    def after_train_epoch(self, runner: Runner) -> None:
        messages = self.alarms(runner)
        self._epochs = Counter({name: self._epochs[name] + 1 for name in messages})
        for name, message in messages.items():
            if self._epochs[name] == PATIENCE:
                runner.logger.warning(
                    f'{message} in the last {PATIENCE} epochs: see docs/start/faq.md'
                )

    def alarms(self, runner: Runner) -> dict[str, str]:
        """Messages of the current alarms, by the name of the logged number."""
        messages = {}
        scalars = runner.message_hub.log_scalars
        logged = {key[6:]: h.data[0] for key, h in scalars.items() if key.startswith('train/')}
        for name, values in logged.items():
            what, _, kind = name.rpartition('/')
            latest = values[-PATIENCE:]
            latest = latest[np.isfinite(latest)]
            value = latest.mean() if len(latest) else np.inf
            best = logged.get(f'{what}/error_constant')
            spread = logged.get(f'{what}/projection/feature_std', np.ones(1))[-WINDOW:].mean()
            if value < LOWEST.get(kind, -np.inf):
                messages[name] = f'{what} has collapsed: its {kind} is {value:.3g}'
            elif kind == 'accuracy' and is_no_larger(WINDOW, values, logged.get(f'{what}/chance')):
                messages[name] = f'the task {what!r} is no better than chance ({value:.3g})'
            elif kind == 'error' and spread < LEAST_SPREAD and is_no_larger(WINDOW, best, values):
                messages[name] = (
                    f'the task {what!r} has collapsed: its error {value:.3g} is that of a constant '
                    f'answer, and the feature_std of its projections is {spread:.3g}'
                )
            elif what == 'share' and value < LOWEST['share']:
                messages[name] = (
                    f'the task {kind!r} does not teach the student: its share of the gradient is '
                    f'{value:.3g}'
                )
        return messages
