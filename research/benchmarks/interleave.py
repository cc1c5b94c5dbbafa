"""Interleaved runs of several ways, each in its own process, and the table of their ratios.

The runs of one round follow each other, so other load on the machine affects all of them; the
figures are medians and ranges of ratios within rounds. A forked process for each way gives its own
peak memory.
"""

from __future__ import annotations

import multiprocessing
import resource  # Unix only
import time
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import torch

from mmact_ssl.datasets.loading import end_with_parent

# Builds a way in its process and returns the function that runs round n.
Build = Callable[[], Callable[[int], Any]]
COLUMNS = '  {:<28} {:>10} {:>22} {:>9} {:>9} {:>7}  {}'


class Way:
    """A process that builds one way, and runs it on request."""

    def __init__(self, build: Build, programs: bool) -> None:
        context = multiprocessing.get_context('fork')
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, build, programs), daemon=True)
        self.process.start()
        other.close()  # else the end of the process goes unnoticed

    def run(self, number: int | None) -> dict[str, Any]:
        """Run a round, or build for None; return seconds, processor seconds, MiB and result."""
        self.pipe.send(number)
        answer = self.pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


def _serve(pipe: Any, build: Build, programs: bool) -> None:
    end_with_parent()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    base, run = _peak(resource.RUSAGE_SELF), None
    while True:
        try:
            number = pipe.recv()
        except EOFError:
            return
        try:
            start = time.perf_counter(), _processor()
            if run is None:
                run, result = build(), None
            else:
                result = run(number)
            seconds, cpu = time.perf_counter() - start[0], _processor() - start[1]
            own = _peak(resource.RUSAGE_SELF) - base
            peak = _peak(resource.RUSAGE_CHILDREN) if programs else own
            pipe.send(dict(seconds=seconds, cpu_seconds=cpu, peak_mib=peak, result=result))
        except Exception as error:  # noqa: BLE001  (Way.run raises it)
            pipe.send(error)


def _processor() -> float:
    """Processor seconds of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _peak(who: int) -> float:
    """Peak memory in MiB of this process, or of its largest ended child (on Linux)."""
    return resource.getrusage(who).ru_maxrss / 1024


def compare(
    title: str,
    ways: Mapping[str, Build],
    baseline: str | None = None,
    rounds: int = 5,
    faster: bool = False,
    target: float | None = None,
    warm_ups: int = 1,
    programs: bool = False,
) -> dict[str, Any]:
    """Measure ways in turn, print the table, and return the figures.

    Args:
        ways: Name -> function that builds the way.
        baseline: The way to compare the others with.
        faster: Ratios are the baseline's time over a way's (times faster), not the way's time over
            the baseline's (times the cost).
        target: Bound of the ratio by processor time, for the table.
        warm_ups: Rounds before the measured ones.
        programs: Measure the peak memory of the programs that ways run, not that of the ways.
    """
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    processes = {name: Way(build, programs) for name, build in ways.items()}
    try:
        for way in processes.values():
            way.run(None)
        for number in range(-warm_ups, rounds):
            # In alternating order: the first way finds files unread.
            for name in list(ways)[:: -1 if number % 2 else 1]:
                measured = processes[name].run(number + warm_ups)
                if number >= 0:
                    runs[name].append(measured)
    finally:
        for way in processes.values():
            way.process.kill()  # StopSignalHook delays other signals
            way.process.join()
    figures = {name: _summary(own) for name, own in runs.items()}
    for name, own in figures.items():
        if baseline not in (None, name):
            base = figures[baseline]
            for time_ in ('seconds', 'cpu_seconds'):
                pair = (base[time_], own[time_]) if faster else (own[time_], base[time_])
                own[f'{time_}_ratio'] = _spread(np.divide(*pair))
            own['memory_ratio'] = own['peak_mib'] / max(base['peak_mib'], 1e-9)
    summary = dict(title=title, baseline=baseline, faster=faster, target=target, ways=figures)
    print_table(summary)
    return summary


def _summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    times = {key: [run[key] for run in runs] for key in ('seconds', 'cpu_seconds')}
    peak = max(run['peak_mib'] for run in runs)
    return dict(times, peak_mib=peak, results=[run['result'] for run in runs])


def _spread(ratios: np.ndarray) -> dict[str, float]:
    return dict(
        median=float(np.median(ratios)), min=float(np.min(ratios)), max=float(np.max(ratios))
    )


def print_table(summary: Mapping[str, Any]) -> None:
    """Print a comparison: medians, ratios with their range, and peak memory."""
    faster, target = summary['faster'], summary['target']
    sign = '>=' if faster else '<='
    bound = '' if target is None else f'target {sign} {target:g}'
    print(summary['title'])
    what = 'times faster' if faster else 'times the cost'
    print(COLUMNS.format('', 'CPU s', f'{what} (range)', 'elapsed', 'peak MiB', 'ratio', ''))
    for name, own in summary['ways'].items():
        shown, elapsed, memory = '', '', ''
        if 'memory_ratio' in own:
            cpu = own['cpu_seconds_ratio']
            shown = f'{cpu["median"]:.2f} ({cpu["min"]:.2f}..{cpu["max"]:.2f})'
            elapsed, memory = f'{own["seconds_ratio"]["median"]:.2f}', f'{own["memory_ratio"]:.2f}'
        seconds, peak = f'{np.median(own["cpu_seconds"]):.3f}', f'{own["peak_mib"]:.0f}'
        note = bound if shown else ''
        print(COLUMNS.format(name, seconds, shown, elapsed, peak, memory, note), flush=True)
