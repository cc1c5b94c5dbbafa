"""Training loops that can resume within an epoch, for a number of epochs or of steps."""

from __future__ import annotations

import copy
import math
from typing import Any

from mmengine.dist import is_main_process
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from mmact_ssl.datasets.loading import end_workers
from mmact_ssl.registry import LOOPS


@LOOPS.register_module()
class EpochTrainLoop(EpochBasedTrainLoop):
    """mmengine's loop of epochs that can resume within an epoch, not only at its start.

    :class:`ExactResumeHook` sets ``first_batch``, the batch at which the first epoch begins.
    """

    first_batch = 0

    def run(self) -> nn.Module:
        """Train, with a bar of the steps on a terminal."""
        shown = dict(total=self._max_iters, initial=self._iter, desc='training', unit='steps')
        self.bar = tqdm(**shown, disable=None if is_main_process() else True)  # None: no terminal
        loggers = [] if self.bar.disable else [self.runner.logger]
        with self.bar, logging_redirect_tqdm(loggers):
            return super().run()

    def run_epoch(self) -> None:
        """Iterate one epoch."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        first, self.first_batch = self.first_batch, 0
        loader = self.dataloader
        if first:
            # A loader of the later batches: it makes no sample of the first ones.
            loader = copy.copy(loader)
            loader.__dict__['batch_sampler'] = [*loader.batch_sampler][first:]
        try:
            for index, data_batch in enumerate(loader, first):
                self.run_iter(index, data_batch)
                self.bar.update()
        finally:
            if first:
                end_workers(loader)  # the copy has its own
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1


@LOOPS.register_module()
class StepsTrainLoop(EpochTrainLoop):
    """Train whole epochs until at least ``max_iters`` batches are done.

    A schedule in steps means the same on data sets of all sizes. With mmengine's IterBasedTrainLoop
    each epoch would repeat the augmentations of the epoch before and wait two seconds, and a
    resumed run would read everything again. Our choice.

    Schedules of learning rates need ``by_epoch=False``.

    Args:
        max_iters: Smallest number of batches; steps of the optimizer unless gradients accumulate.
        max_epochs: Ends the run earlier, for a trial.
        **kwargs: As for EpochTrainLoop.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        max_iters: int,
        max_epochs: float = math.inf,
        **kwargs: Any,
    ) -> None:
        # The number of epochs depends on the length of the loader, which the base class builds.
        super().__init__(runner, dataloader, max_epochs=1, **kwargs)
        steps = len(self.dataloader)
        self._max_epochs = min(math.ceil(max_iters / steps), int(min(max_epochs, max_iters)))
        self._max_iters = self._max_epochs * steps
