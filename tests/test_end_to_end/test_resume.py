"""Killed in the middle of an epoch and resumed, training gives the losses of one never killed."""

from __future__ import annotations

import pytest

from mmact_ssl.checkpoint_file import load_checkpoint_safely

ITERATIONS_PER_EPOCH = 4


@pytest.mark.slow
def test_a_killed_run_resumes_exactly(training_run):
    """All losses of all tasks, every iteration, and at the end weights and both optimizers."""
    whole, killed = training_run('whole'), training_run('killed')
    whole.train('configs/csvr_r3d_demo.py', *whole.options(epochs=3))
    steps = [(epoch, 4 * (epoch - 1) + i) for epoch in (1, 2, 3) for i in (1, 2, 3, 4)]
    assert sorted(whole.losses()) == steps

    options = killed.options(epochs=3)
    killed.train('configs/csvr_r3d_demo.py', *options, kill_at=(2, ITERATIONS_PER_EPOCH + 2))
    before = len(killed.losses())
    assert before < len(steps), 'the run was over before it was killed'
    killed.train('configs/csvr_r3d_demo.py', '--resume', *options)

    expected, resumed = whole.losses(), killed.losses()
    assert sorted(resumed) == steps
    assert any('pose' in name for name in expected[steps[0]])
    for step in steps:
        assert resumed[step] == expected[step], step

    ends = [load_checkpoint_safely(run.work_dir / 'epoch_3.pth') for run in (whole, killed)]
    assert_equal(ends[0]['state_dict'], ends[1]['state_dict'])
    assert_equal(ends[0]['optimizer'], ends[1]['optimizer'])
    assert_equal(ends[0]['param_schedulers'], ends[1]['param_schedulers'])


def assert_equal(first: object, second: object, path: str = '') -> None:
    """Compare nested dicts, lists and tensors to the bit."""
    import torch

    if isinstance(first, dict):
        assert first.keys() == second.keys(), path
        for key in first:
            assert_equal(first[key], second[key], f'{path}.{key}')
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second), path
        for index, (one, other) in enumerate(zip(first, second)):
            assert_equal(one, other, f'{path}.{index}')
    elif isinstance(first, torch.Tensor):
        assert torch.equal(first, second), path
    else:
        assert first == second, path
