"""The steps of a study: subprocesses that are skipped, resumed and reported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import Any

from mmact_ssl.errors import ConfigError

POINTER = 'last_checkpoint'  # mmengine's file in a work dir
PRETEXT = 'pretext'  # protocol of the pretext tasks themselves


def stored_runs(file: Path) -> dict[str, dict[str, Any]]:
    """Last line of each run in a file of results; {} for a missing file."""
    lines = file.read_text(encoding='utf-8').splitlines() if file.is_file() else []
    return {line['run']: line for line in map(json.loads, lines)}


@dataclass
class Step:
    """One subprocess.

    Attributes:
        command: Builds the arguments when the step starts; some depend on earlier steps.
        log: File for its output.
        results: File and run of each of its results; it is skipped if all exist.
        marker: For a step without results, a file that marks its success.
        stale: True if its output belongs to a pre-training by another config.
        needs: Step that fine-tunes its network.
    """

    name: str
    command: Callable[[], list[str]]
    log: Path
    results: list[tuple[Path, str]] = field(default_factory=list)
    marker: Path | None = None
    stale: bool = False
    needs: Step | None = None

    @property
    def folder(self) -> Path:
        """Work dir of a fine-tuning."""
        return self.log.with_suffix('')

    @property
    def done(self) -> bool:
        """True if all its output exists."""
        if self.stale:
            return False
        if self.marker is not None:
            return self.marker.exists()
        return all(run in stored_runs(file) for file, run in self.results)


@dataclass
class Chain:
    """Steps of one variant and seed, which run in order, and the log of a failed step."""

    name: str
    steps: list[Step]
    failed: Path | None = None

    @property
    def todo(self) -> list[Step]:
        """Steps to run; a lost training runs again if a missing result needs it."""
        needed = {id(step.needs) for step in self.steps if not step.done}
        left = [
            step
            for step in self.steps
            if not step.done or (id(step) in needed and not (step.folder / POINTER).is_file())
        ]
        evaluates = any(step.results for step in self.steps)
        return left if not evaluates or any(step.results for step in left) else []


def run_study(
    chains: Sequence[Chain], jobs: int, root: str, report: Callable[[str], Any] = print
) -> list[Chain]:
    """Run chains side by side, each step in a process of one thread, and skip finished steps.

    Args:
        chains: Chains of :func:`plan_study`.
        jobs: Number of chains at a time.
        report: Called with a line per started and finished step.

    Returns:
        The failed chains; all others have finished.
    """
    todo = [step for chain in chains for step in chain.todo]
    total = sum(len(chain.steps) for chain in chains)
    report(f'{total} steps, {total - len(todo)} done before, {len(todo)} to do, {jobs} at a time')
    started, lock = time.monotonic(), Lock()
    finished: list[Step] = []

    def run_chain(chain: Chain) -> None:
        for step in chain.todo:
            report(f'start  {step.name}')
            begin = time.monotonic()
            if not run_step(step, root):
                chain.failed = step.log
                said = step.log.read_text(encoding='utf-8', errors='replace').split('\n')
                last = next(line for line in reversed(said) if line.strip())  # the command at least
                report(f'FAILED {step.name}: see {step.log}\n       {last}')
                return
            with lock:
                finished.append(step)
                now = time.monotonic()
                left = (now - started) / len(finished) * (len(todo) - len(finished))
            report(
                f'done   {step.name} in {_duration(now - begin)}; '
                f'{len(finished)} of {len(todo)}, about {_duration(left)} left'
            )

    pool = ThreadPoolExecutor(max_workers=jobs)
    try:
        list(pool.map(run_chain, chains))
    finally:
        # After an interrupt, waiting chains must not start.
        pool.shutdown(cancel_futures=True)
    return [chain for chain in chains if chain.failed is not None]


def run_step(step: Step, root: str) -> bool:
    """Run one step, append its output to its log, and return whether it succeeded."""
    step.log.parent.mkdir(parents=True, exist_ok=True)
    # Absolute, because the step runs in another folder.
    data = os.path.abspath(os.environ.get('MMACT_SSL_DATA', 'data'))
    modules = filter(None, os.environ.get('PYTHONPATH', '').split(os.pathsep))
    environment = {
        **os.environ,
        'OMP_NUM_THREADS': '1',
        'PYTHONPATH': os.pathsep.join([root, *map(os.path.abspath, modules)]),
        'MMACT_SSL_DATA': data,
    }
    with open(step.log, 'a', encoding='utf-8') as log:
        try:
            command = [sys.executable, *step.command()]
        except ConfigError as error:
            log.write(f'error: {error}\n')
            return False
        log.write(f'$ {" ".join(command)}\n')
        log.flush()
        code = subprocess.call(
            command, cwd=root, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    if code == 0 and step.marker is not None:
        step.marker.touch()
    return code == 0 and step.done


def _duration(seconds: float) -> str:
    """Format a duration as ``1:02:03``."""
    return str(timedelta(seconds=round(seconds)))
