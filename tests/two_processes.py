"""Programs for tests that run as one of two processes at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


def run_one_of_two(work: Callable[[int, Path], Any]) -> None:
    """Do the work of this rank in a process group, save what it returns, and end."""
    rank, folder = int(sys.argv[1]), Path(sys.argv[2])
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2', LOCAL_WORLD_SIZE='2')
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=2
    )
    torch.save(work(rank, folder), folder / f'{rank}.pt')
    torch.distributed.barrier()
    # Not destroy_process_group: on a busy machine its join of gloo's threads may wait for ever.
    os._exit(0)
