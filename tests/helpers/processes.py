"""Programs and functions in processes of their own that start at once.

They are forks of a server that has imported everything, so that they share nothing with a test.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch

ROOT = Path(__file__).parents[2]
PATIENCE = 600  # seconds; only a hang or a very busy machine gets there
CONTEXT = multiprocessing.get_context('forkserver')
CONTEXT.set_forkserver_preload(['tests.helpers.preload'])


def context() -> Any:
    """The context of multiprocessing whose processes are forks of the server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('PYTHONPATH', str(ROOT))  # of the server, which starts with the first call
        ensure_running()
    return CONTEXT


def free_port() -> str:
    """A port at which processes of a group can meet."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return str(free.getsockname()[1])


def _work(log: str, environment: dict[str, str], work: Callable[..., Any], *arguments: Any) -> None:
    """Do something in a session of its own, what it prints in two files."""
    os.setsid()
    multiprocessing.set_start_method(None, force=True)  # the usual one, of data loaders
    os.environ.clear()
    os.environ.update(environment)
    for number, name in ((1, 'out'), (2, 'err')):
        os.dup2(os.open(f'{log}.{name}', os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    work(*arguments)


def _program(argv: list[str], cwd: str) -> None:
    """Be Python with these arguments: ``-c CODE`` or a file, and those of the program."""
    os.chdir(cwd)
    sys.path[:0] = os.environ.get('PYTHONPATH', '').split(os.pathsep)
    sys.argv = argv
    if argv[0] == '-c':
        code = argv.pop(1)
        exec(compile(code, '<string>', 'exec'), {'__name__': '__main__'})
    else:
        runpy.run_path(argv[0], run_name='__main__')


class Process:
    """A function that runs in a process without a GPU, on which numbers are not exact."""

    def __init__(self, work: Callable[..., Any], *arguments: Any, **environment: str) -> None:
        self._folder = TemporaryDirectory()
        self._log = Path(self._folder.name) / 'log'
        environment = {**os.environ, 'CUDA_VISIBLE_DEVICES': '', **environment}
        start = str(self._log), environment, work, *arguments
        self._process = context().Process(target=_work, args=start)
        self._process.start()
        self.pid = self._process.pid

    @classmethod
    def program(cls, *argv: str, cwd: Path = ROOT, **environment: str) -> Process:
        """Start Python with arguments."""
        return cls(_program, [*argv], str(cwd), **environment)

    @property
    def status(self) -> int | None:
        """Exit status, minus the number of a signal that has ended it; None while it runs."""
        return self._process.exitcode

    @property
    def out(self) -> str:
        """What it has printed."""
        path = Path(f'{self._log}.out')
        return path.read_text() if path.exists() else ''

    @property
    def err(self) -> str:
        """What it has complained."""
        return Path(f'{self._log}.err').read_text()

    def wait(self, status: int | None = 0) -> Process:
        """Wait for its end, which must have this status unless that is None."""
        self._process.join(PATIENCE)
        if self.status is None:
            self.kill()
            raise TimeoutError(f'no end within {PATIENCE} s: {self.err[-3000:]}')
        assert status in (self.status, None), f'{self.status}\n{self.out}\n{self.err[-3000:]}'
        return self

    def kill(self) -> None:
        """End it and its workers."""
        os.killpg(self.pid, signal.SIGKILL)
        self._process.join()


def _one(work: Callable[[int, Path], Any], rank: int, size: int, folder: Path) -> None:
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=size
    )
    torch.save(work(rank, folder), folder / f'{rank}.pt')
    torch.distributed.barrier()
    # Not destroy_process_group: on a busy machine its join of gloo's threads may wait for ever.
    os._exit(0)


def in_processes(
    work: Callable[[int, Path], Any], folder: Path, local_ranks: Sequence[int]
) -> list[Any]:
    """Run a function in each of the processes of a group, and return what they return.

    Args:
        work: A function of a module.
        folder: An empty folder or one with what the processes need.
        local_ranks: Of each process on its machine; 0 begins a machine.
    """
    size = len(local_ranks)
    processes = [
        Process(
            *(_one, work, rank, size, folder),
            **dict(RANK=str(rank), LOCAL_RANK=str(local)),
            **dict(WORLD_SIZE=str(size), LOCAL_WORLD_SIZE=str(size)),
        )
        for rank, local in enumerate(local_ranks)
    ]
    for process in processes:
        process.wait()
    return [torch.load(folder / f'{rank}.pt') for rank in range(size)]


def in_two_processes(work: Callable[[int, Path], Any], folder: Path) -> list[Any]:
    """Run a function in two processes on one machine, see :func:`in_processes`."""
    return in_processes(work, folder, (0, 1))
