"""tools/dist_train.sh and dist_test.sh with two gloo processes on a machine without a GPU."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmact_ssl.checkpoint_file import load_checkpoint_safely
from tests.helpers.processes import PATIENCE, ROOT, free_port

CONFIG = 'configs/csvr_r3d_demo.py'


@pytest.mark.slow
def test_two_processes_train_and_test(training_run):
    """Two iterations an epoch of 2 x 2 videos; the losses are finite and the weights move."""
    run = training_run('distributed')
    options = run.options(epochs=2, workers=0)
    screen = launch(run, 'tools/dist_train.sh', CONFIG, '2', *options)

    losses = run.losses()
    assert sorted(losses) == [(1, 1), (1, 2), (2, 3), (2, 4)]
    assert all(math.isfinite(value) for step in losses.values() for value in step.values())
    (log,) = run.work_dir.glob('*/*.log')
    assert 'Distributed training: True' in log.read_text()
    assert 'GPU number: 2' in log.read_text()
    assert 'sync_bn is for GPUs' in screen
    assert screen.count('epoch 2/2 step 2/2') == 1, 'of one process alone'
    paths = [run.work_dir / f'epoch_{epoch}.pth' for epoch in (1, 2)]
    first, last = (load_checkpoint_safely(path)['state_dict'] for path in paths)
    assert any(not torch.equal(first[key], last[key]) for key in first if 'conv1' in key)

    launch(run, 'tools/dist_test.sh', CONFIG, str(paths[1]), '2', *options)
    (metrics,) = [
        json.loads(path.read_text())
        for path in run.work_dir.glob('*/*.json')
        if path.parent.name != 'vis_data'
    ]
    assert any('pose' in name for name in metrics)
    assert all(math.isfinite(value) for value in metrics.values())


def launch(run, script: str, *arguments: str) -> str:
    """Run a launcher on a free port until it ends; what it shows."""
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    environment = {**os.environ, **run.environment, 'PATH': path, 'PORT': free_port()}
    done = subprocess.run(
        [script, *arguments],
        cwd=ROOT,
        env={**environment, 'CUDA_VISIBLE_DEVICES': ''},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout
