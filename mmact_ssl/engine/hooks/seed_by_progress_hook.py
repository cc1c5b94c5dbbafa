"""Random seeds that depend only on the progress of a run."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from mmengine.dataset import ClassBalancedDataset, RepeatDataset
from mmengine.dist import broadcast_object_list, get_rank
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmact_ssl.datasets.seeded_samples import with_inner
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import HOOKS


@HOOKS.register_module()
class SeedByProgressHook(Hook):
    """Seed samples from (seed, epoch, index) and the model from (seed, rank, iteration).

    A resumed run then draws the same numbers as an uninterrupted one, and no epoch repeats the
    augmentations of another. Before each epoch the training data sets with a ``set_progress`` get
    the seed and the epoch; members of a ConcatDataset also get the number of samples before theirs.
    Before each iteration the hook seeds Python's, numpy's and torch's global generators in the main
    process. The sampler gets the runner's seed, which a resumed run reads from its checkpoint.
    Wrappers that repeat a sample within an epoch are refused: its augmentations would be equal.

    The hook needs an epoch-based training loop: an iteration-based loop fetches the batches of a
    new epoch before it calls any hook. :class:`StepsTrainLoop` counts steps. Our choice.
    """

    # Before all other hooks, which may draw random numbers themselves.
    priority = 'HIGHEST'

    def before_train(self, runner: Runner) -> None:
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            raise ConfigError(
                'SeedByProgressHook needs an epoch-based training loop: set '
                "train_cfg.type='EpochTrainLoop' (or 'StepsTrainLoop') or remove the hook"
            )
        for part, _ in with_inner(runner.train_dataloader.dataset):
            if isinstance(part, (RepeatDataset, ClassBalancedDataset)):
                raise ConfigError(
                    f'{type(part).__name__} would give the same augmented samples several times '
                    'an epoch: take the data set itself, with more epochs (train_cfg.max_epochs)'
                )
        # mmengine built the sampler with the config's seed; the checkpoint may have another one.
        loader, seed = runner.train_dataloader, [int(runner.seed)]
        broadcast_object_list(seed)  # with diff_rank_seed each process has its own
        for sampler in (loader.sampler, getattr(loader.batch_sampler, 'sampler', None)):
            if sampler is not None and hasattr(sampler, 'seed'):
                sampler.seed = seed[0]

    def before_train_epoch(self, runner: Runner) -> None:
        # Workers fetch the epoch's first batch after this.
        for part, first in with_inner(runner.train_dataloader.dataset):
            if hasattr(part, 'set_progress'):
                part.set_progress(int(runner.seed), runner.epoch, first)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        key = (int(runner.seed), get_rank(), runner.iter)
        words = np.random.SeedSequence(key).generate_state(3)
        random.seed(int(words[0]))
        np.random.seed(words[1])
        torch.manual_seed(int(words[2]))
