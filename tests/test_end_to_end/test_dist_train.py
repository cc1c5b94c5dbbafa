"""tools/dist_train.sh and dist_test.sh with two gloo processes on a machine without a GPU."""

from __future__ import annotations

import json
import math
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.distributed import run as torchrun

from mmact_ssl.io.checkpoint_file import load_checkpoint_safely
from tests.five_methods import options_of
from tests.helpers.processes import PATIENCE, ROOT, Process, free_port

CONFIG = 'configs/csvr_r3d_demo.py'
# In the place of Python: writes down what a launcher starts.
PYTHON = '#!/bin/sh\nprintf "%s\\0" "$@" >"$STARTED"\n'


@pytest.mark.slow
def test_two_processes_train_and_test(made_data, tmp_path):
    """Two iterations an epoch of 2 x 2 videos; the losses are finite and the weights move."""
    run = tmp_path / 'distributed'
    options = [f'--work-dir={run}', '--cfg-options', *options_of('csvr'), 'train_cfg.max_epochs=2']
    options += ['default_hooks.checkpoint.interval=1']
    options += ['test_dataloader.batch_size=2', 'test_dataloader.num_workers=0']
    screen = launch(made_data, tmp_path, 'tools/dist_train.sh', CONFIG, '2', *options)

    (scalars,) = run.glob('*/vis_data/scalars.json')
    logged = [json.loads(li) for li in scalars.read_text().splitlines() if '"loss"' in li]
    assert [(step['epoch'], step['step']) for step in logged] == [(1, 1), (1, 2), (2, 3), (2, 4)]
    losses = [value for step in logged for key, value in step.items() if 'loss' in key]
    assert all(map(math.isfinite, losses))
    (log,) = run.glob('*/*.log')
    assert 'Distributed training: True' in log.read_text()
    assert 'GPU number: 2' in log.read_text()
    assert 'sync_bn is for GPUs' in screen
    assert screen.count('epoch 2/2 step 2/2') == 1, 'of one process alone'
    paths = [run / f'epoch_{epoch}.pth' for epoch in (1, 2)]
    first, last = (load_checkpoint_safely(path)['state_dict'] for path in paths)
    assert any(not torch.equal(first[key], last[key]) for key in first if 'conv1' in key)

    launch(made_data, tmp_path, 'tools/dist_test.sh', CONFIG, str(paths[1]), '2', *options)
    (metrics,) = [
        json.loads(path.read_text())
        for path in run.glob('*/*.json')
        if path.parent.name != 'vis_data'
    ]
    assert any('pose' in name for name in metrics)
    assert all(math.isfinite(value) for value in metrics.values())


def launch(data: Path, folder: Path, script: str, *arguments: str) -> str:
    """Run a launcher on a free port, and return what the program that it starts prints."""
    (folder / 'python').write_text(PYTHON)
    (folder / 'python').chmod(0o755)
    path = f'{folder}{os.pathsep}{os.environ["PATH"]}'
    started = folder / 'started'
    environment = {**os.environ, 'PATH': path, 'PORT': free_port(), 'STARTED': str(started)}
    subprocess.run([script, *arguments], cwd=ROOT, env=environment, check=True, timeout=PATIENCE)
    module, name, *words = started.read_text().split('\0')[:-1]
    assert [module, name] == ['-m', torchrun.__name__]
    environment = dict(MMACT_SSL_DATA=str(data), OMP_NUM_THREADS='1')
    done = Process(start_forks, words, **environment).wait()
    return done.out + done.err


def start_forks(words: list[str]) -> None:
    """Be torch.distributed.run; its processes are forks, which have imported everything."""
    os.chdir(ROOT)
    config, _, (unbuffered, *program) = torchrun.config_from_args(torchrun.parse_args(words))
    assert unbuffered == '-u'
    config.start_method = 'fork'
    torchrun.elastic_launch(config, be_program)(*program)


def be_program(*words: str) -> None:
    sys.argv = [*words]
    runpy.run_path(words[0], run_name='__main__')
