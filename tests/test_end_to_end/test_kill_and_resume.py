"""The campaign of kills at its smallest: a process dies at a random moment, and the run goes on."""

from __future__ import annotations

import pytest

from tests.helpers.processes import Process

CASES = [('csvr', 1), ('hcpg', 2), ('mix', 1), ('ms2l-masked', 1)]


@pytest.mark.slow
@pytest.mark.parametrize(('method', 'processes'), CASES)
def test_a_run_that_is_killed_ends_as_the_one_that_was_not(method, processes):
    """Two optimizers, momentum copies, queues, schedules, masks; the program runs all methods."""
    argv = ['tests/campaigns/kill_and_resume.py', method, '--kills=1', f'--processes={processes}']
    done = Process.program(*argv, OMP_NUM_THREADS='1').wait()
    assert 'the same to the bit' in done.out
