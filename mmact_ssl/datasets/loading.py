"""Data loaders whose workers send a batch as few tensors, end with their parent, and never hang."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

# Seconds that training waits for a batch. A stuck worker raises no error.
TIMEOUT = 1800


def build_dataloader(config: Any, *args: Any, **kwargs: Any) -> DataLoader:
    """Build a data loader as mmengine's Runner does, with workers that end with this process.

    Batches have the form of ``pseudo_collate``, but the workers stack views and targets of equal
    shape and send every other list in one piece. torch sends each tensor through its own file
    descriptor: a batch of 256 clips of 13 tensors needs 3,328 of them, and a worker that has none
    left hangs. Without a GPU ``pin_memory`` is dropped, since torch would only warn about it.

    If there are fewer samples than a batch, they are one batch in spite of ``drop_last``.

    Args:
        config: Config of the loader; a loader is returned unchanged.
        args, kwargs: As for ``Runner.build_dataloader``.
    """
    if isinstance(config, DataLoader):
        return config
    config = {'collate_fn': dict(type=collate), **config}
    if config.get('num_workers', 0):
        config.setdefault('timeout', TIMEOUT)
        # Python 3.14 starts workers from a server, which then is their parent.
        config.setdefault('multiprocessing_context', 'fork')
    else:  # torch refuses these
        config.pop('persistent_workers', None)
        config.pop('multiprocessing_context', None)
    if not torch.cuda.is_available():
        config.pop('pin_memory', None)
    loader = Runner.build_dataloader(config, *args, **kwargs)
    if not len(loader) and loader.drop_last:
        share = len(loader.sampler)  # of this process
        print_log(f'{share} samples, fewer than a batch: an epoch is one step', 'current')
        loader.batch_sampler.drop_last = False
    loader.worker_init_fn = partial(_start_worker, os.getpid(), loader.worker_init_fn)
    return loader


def collate(samples: Sequence[Any]) -> Any:
    """Collate as ``pseudo_collate``, but stack views and targets of equal shape."""
    batch = pseudo_collate(samples)
    # Samples of mmaction2 have no targets, and its models need their inputs as lists.
    has_targets = isinstance(batch, Mapping) and isinstance(batch.get('targets'), Mapping)
    return _join(batch, has_targets)


def _join(batch: Any, stack: bool) -> Any:
    if isinstance(batch, Mapping):
        return {key: _join(value, stack) for key, value in batch.items()}
    if not isinstance(batch, list):
        return batch
    kinds = {(item.shape, item.dtype) if isinstance(item, Tensor) else None for item in batch}
    if stack and len(kinds) == 1 and None not in kinds:
        return default_collate(batch)  # a worker stacks into shared memory
    return Piece(batch)


class Piece(list):
    """List of a batch that a worker sends to its parent as one tensor or one byte string."""

    def __reduce__(self) -> tuple:
        is_joined = all(isinstance(item, Tensor) for item in self)
        if self and is_joined and len({item.dtype for item in self}) == 1:
            joined = torch.cat([item.detach().reshape(-1) for item in self])
            return _split, (joined, [item.shape for item in self])
        # Python's own pickler copies tensors inside samples; torch's would share each of them.
        return pickle.loads, (pickle.dumps(list(self)),)


def _split(joined: Tensor, shapes: Sequence[torch.Size]) -> list[Tensor]:
    parts = joined.split([shape.numel() for shape in shapes])
    return [part.view(shape) for part, shape in zip(parts, shapes)]


def _start_worker(parent: int, init: Callable[[int], None] | None, worker: int) -> None:
    end_with_parent(parent)
    obey_parent_alone(parent)
    if init is not None:
        init(worker)


def end_with_parent(parent: int | None = None) -> None:
    """Ask Linux to kill this process as soon as its parent has ended.

    torch's own check of the parent does not run in a worker that is blocked by a full pipe.

    Args:
        parent: Id of the parent process, which may have ended already.
    """
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def obey_parent_alone(parent: int) -> None:
    """End this process on SIGTERM from its parent only, and never on SIGUSR1 or SIGINT.

    Slurm and a terminal also send their signals to workers, while the training process still needs
    their batches to finish a step.
    """
    signals = {signal.SIGTERM, signal.SIGUSR1, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)

    def wait() -> None:
        while True:
            received = signal.sigwaitinfo(signals)
            if received.si_signo == signal.SIGTERM and received.si_pid == parent:
                os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def end_workers(loader: Any) -> None:
    """End the workers that live on between the epochs of a data loader.

    When a loader is garbage, its queues may be closed before the workers are told: torch then waits
    five seconds for them.
    """
    iterator = getattr(loader, '_iterator', None)
    if iterator is not None:
        iterator._shutdown_workers()
        loader._iterator = None
