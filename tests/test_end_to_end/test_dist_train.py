"""tools/dist_train.sh trains with two gloo processes on a machine without a GPU."""

from __future__ import annotations

import math
import os
import socket
import sys
from pathlib import Path

import pytest
import torch

from mmact_ssl.engine.checkpoint import load_checkpoint_safely


@pytest.mark.slow
def test_two_processes_train_and_agree(training_run):
    """Two iterations an epoch of 2 x 2 videos; the losses are finite and the weights move."""
    run = training_run('distributed')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        run.environment['PORT'] = str(free.getsockname()[1])
    run.environment['PATH'] = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    options = run.options(epochs=2, workers=0)
    process = run.start(['tools/dist_train.sh', 'configs/csvr_r3d_demo.py', '2', *options])
    assert process.wait(timeout=240) == 0, run.log.read_text()[-3000:]

    losses = run.losses()
    assert sorted(losses) == [(1, 1), (1, 2), (2, 3), (2, 4)]
    assert all(math.isfinite(value) for step in losses.values() for value in step.values())
    log = run.log.read_text()
    assert 'Distributed training: True' in log
    assert 'GPU number: 2' in log
    first, last = (
        load_checkpoint_safely(run.work_dir / f'epoch_{epoch}.pth')['state_dict']
        for epoch in (1, 2)
    )
    assert any(not torch.equal(first[key], last[key]) for key in first if 'conv1' in key)
