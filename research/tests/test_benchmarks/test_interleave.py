"""Ways in turn, each in a process of its own: times, memory, ratios and errors."""

from __future__ import annotations

import importlib
import mmap
import os
import time
from pathlib import Path

import numpy as np
import pytest

from mmact_ssl.errors import DataError


@pytest.fixture
def compare(tool):
    return importlib.import_module('interleave').compare


def spending(loops: int, mib: int = 1, log: Path | None = None):
    """A way that spends processor time and memory, and says when it runs."""

    def build():
        def run(number: int) -> int:
            # From the system: malloc may have as much at hand, freed by an earlier test.
            held = np.frombuffer(mmap.mmap(-1, mib << 20), np.uint8)
            held[:] = 1
            end = time.process_time() + loops * 0.05
            while time.process_time() < end:
                pass
            if log is not None:
                with log.open('a') as file:
                    file.write(f'{loops} {number}\n')
            return int(held[0]) + os.getpid()

        return run

    return build


def test_ratios_are_of_processor_time_and_of_memory(compare, capsys, tmp_path):
    log = tmp_path / 'log'
    ways = {'short': spending(1, 20, log), 'long': spending(3, 100, log)}
    found = compare('two ways', ways, 'short', rounds=2, target=1.5)
    long, short = found['ways']['long'], found['ways']['short']
    assert len(short['cpu_seconds']) == 2 and min(short['cpu_seconds']) > 0.04
    ratio = long['cpu_seconds_ratio']
    assert ratio['min'] <= ratio['median'] <= ratio['max']
    assert ratio['median'] == pytest.approx(
        np.median(np.divide(long['cpu_seconds'], short['cpu_seconds']))
    )
    assert long['memory_ratio'] == pytest.approx(5, rel=0.3)
    # Two rounds after one to warm up, and each way first in turn.
    assert log.read_text().split('\n')[:-1] == ['3 0', '1 0', '1 1', '3 1', '3 2', '1 2']
    pids = {*long['results'], *short['results']}
    assert len(pids) == 2 and os.getpid() + 1 not in pids, 'each in a process of its own'
    printed = capsys.readouterr().out
    assert 'times the cost' in printed and f'{ratio["median"]:.2f} (' in printed
    assert 'target <= 1.5' in printed


def test_an_error_of_a_way_is_raised_here(compare):
    def broken():
        raise DataError('no such video')

    with pytest.raises(DataError, match='no such video'):
        compare('a broken way', {'good': spending(1), 'broken': broken})
