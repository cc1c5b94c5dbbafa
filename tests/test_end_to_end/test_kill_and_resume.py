"""The campaign of kills at its smallest: two processes, of which one dies at a random moment."""

from __future__ import annotations

from tests.helpers.processes import Process


def test_a_run_of_two_processes_that_is_killed_ends_as_the_one_that_was_not():
    """With momentum copies, queues and schedules; tests/campaigns has all methods."""
    argv = ['tests/campaigns/kill_and_resume.py', 'hcpg', '--kills=1', '--processes=2']
    done = Process.program(*argv, OMP_NUM_THREADS='1').wait()
    assert 'the same to the bit' in done.out
