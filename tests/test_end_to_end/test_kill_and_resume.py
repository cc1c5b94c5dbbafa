"""The campaign of kills at its smallest: two processes, of which one dies at a random moment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_a_run_of_two_processes_that_is_killed_ends_as_the_one_that_was_not():
    """With momentum copies, queues and schedules; tests/campaigns has all methods."""
    command = [sys.executable, '-m', 'tests.campaigns.kill_and_resume', 'hcpg']
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}
    done = subprocess.run(
        [*command, '--kills=1', '--processes=2'],
        cwd=Path(__file__).parents[2],
        env=environment,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert 'the same to the bit' in done.stdout
