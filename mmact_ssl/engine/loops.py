"""A training loop whose budget is a number of steps."""

from __future__ import annotations

import math
from typing import Any

from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from mmact_ssl.registry import LOOPS


@LOOPS.register_module()
class StepsTrainLoop(EpochBasedTrainLoop):
    """Train for a number of steps, in whole epochs.

    A schedule in epochs means something else on a set of another size; one in steps does not. The
    last epoch is finished, so that the run has up to an epoch more. With mmengine's own
    IterBasedTrainLoop each round through the data would repeat the augmentations of the one before
    and wait two seconds, and a resumed run would read everything again. Our choice.

    Learning rates go by ``by_epoch=False``.

    Args:
        max_iters: Steps of the optimizer's loop, at least.
        max_epochs: Ends the run earlier, for a trial.
        **kwargs: As for EpochBasedTrainLoop.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        max_iters: int,
        max_epochs: float = math.inf,
        **kwargs: Any,
    ) -> None:
        super().__init__(runner, dataloader, max_epochs=1, **kwargs)
        steps = len(self.dataloader)
        self._max_epochs = min(math.ceil(max_iters / steps), int(min(max_epochs, max_iters)))
        self._max_iters = self._max_epochs * steps
