"""tools/slurm_train.sh starts again what was told to stop, and nothing else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(('statuses', 'end'), [('75 75 0', 0), ('75 1', 1), ('0', 0), ('137', 137)])
def test_it_starts_again_with_resume_as_long_as_the_status_is_75(statuses, end, tmp_path: Path):
    """A stand-in for srun writes down its arguments and ends with the next of these statuses."""
    calls = tmp_path / 'calls'
    srun = tmp_path / 'srun'
    srun.write_text(
        f'#!/bin/bash\necho "$*" >> {calls}\nstatuses=({statuses})\n'
        f'exit "${{statuses[$(wc -l < {calls}) - 1]}}"\n'
    )
    srun.chmod(0o755)
    environment = {**os.environ, 'PATH': f'{tmp_path}:{os.environ["PATH"]}', 'GPUS': '2'}
    options = ['--cfg-options', 'train_cfg.max_epochs=5']
    command = ['tools/slurm_train.sh', 'gpu', 'job', 'configs/a.py', *options]
    assert subprocess.run(command, cwd=ROOT, env=environment).returncode == end
    lines = calls.read_text().splitlines()
    assert len(lines) == len(statuses.split())
    ending = 'tools/train.py configs/a.py --launcher slurm --cfg-options train_cfg.max_epochs=5'
    assert lines[0].endswith(ending)
    assert all(ending in line and line.endswith(' --resume') for line in lines[1:])
    assert all('--ntasks=2 ' in line and '--signal=USR1@300 ' in line for line in lines)
