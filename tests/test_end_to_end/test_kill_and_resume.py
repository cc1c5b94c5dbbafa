"""The training program is killed at a random moment: the run goes on, and ends as if it never was.

All that the last checkpoint holds, and all that any attempt has logged, is the same to the bit.
"""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from pathlib import Path

import pytest

from mmact_ssl.io.checkpoint_file import load_checkpoint_safely, newest_checkpoint
from tests.five_methods import METHODS, options_of, set_of
from tests.helpers.processes import Process, free_port
from tests.test_engine.test_hooks.test_exact_resume_hook import equal

# Two optimizers, momentum copies, queues, schedules, masks. A kill hits a step or a save.
CASES = [
    ('csvr', 'saving', 1),
    ('hcpg', 'step', 2),
    ('mix', 'step', 1),
    ('ms2l-masked', 'saving', 1),
]
MOMENTS = dict(step=('*.pth', 0.2), saving=('*.pth.part', 0.02))  # a file, and seconds after it
SETTINGS = [f'default_hooks.checkpoint.{option}' for option in ('by_epoch=False', 'interval=2')]
LIMIT = 60  # seconds in which the other one of two processes ends by itself


def start(words: list[str], processes: int, data: Path) -> list[Process]:
    variables = dict(MMACT_SSL_DATA=str(data), OMP_NUM_THREADS='1')
    if processes == 1:
        return [Process.program('tools/train.py', *words, **variables)]
    variables |= dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=free_port())
    variables |= dict(WORLD_SIZE=str(processes), LOCAL_WORLD_SIZE=str(processes))
    return [
        Process.program('tools/train.py', *words, RANK=rank, LOCAL_RANK=rank, **variables)
        for rank in map(str, range(processes))
    ]


def kill(runs: list[Process], folder: Path, moment: str, draw: random.Random) -> None:
    """Kill one of the processes at that moment; the others must end by themselves."""
    pattern, delay = MOMENTS[moment]
    while not list(folder.glob(pattern)):
        assert runs[0].status is None, runs[0].err
        time.sleep(0.001)
    time.sleep(draw.uniform(0, delay))
    victim = draw.choice(runs)
    assert victim.status is None, victim.err
    victim.kill()
    end = time.monotonic() + LIMIT
    while any(run.status is None for run in runs):
        assert time.monotonic() < end, 'a process waits for one that is gone'
        time.sleep(0.1)


def logged(folder: Path) -> dict[int, set[str]]:
    """Lines that all attempts have logged, by step, without times."""
    found = defaultdict(set)
    for path in folder.glob('*/vis_data/scalars.json'):
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith('\n') and '"loss"' in line:  # the last one may be torn
                values = {k: v for k, v in json.loads(line).items() if 'time' not in k}
                values.pop('memory', None)
                found[values['step']].add(json.dumps(values, sort_keys=True))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(('method', 'moment', 'processes'), CASES)
def test_a_run_that_is_killed_ends_as_the_one_that_was_not(
    method, moment, processes, made_data, tmp_path
):
    ends = []
    for name in ('whole', 'killed'):
        words = [METHODS[method][0], *(['--set', found] if (found := set_of(method)) else [])]
        words += [f'--work-dir={tmp_path / name}', '--deterministic', '--resume']
        words += ['--launcher=pytorch'] if processes > 1 else []
        epochs = f'train_cfg.max_epochs={2 * processes}'
        words += ['--cfg-options', *options_of(method), *SETTINGS, epochs]
        if name == 'killed':
            kill(start(words, processes, made_data), tmp_path / name, moment, random.Random(method))
            assert len(logged(tmp_path / name)) < len(logged(tmp_path / 'whole')), 'it was done'
        for run in start(words, processes, made_data):
            run.wait()
        ends.append(load_checkpoint_safely(newest_checkpoint(tmp_path / name)))
        ends[-1]['meta'] = {key: ends[-1]['meta'][key] for key in ('epoch', 'iter', 'seed')}
    for key in ends[0].keys() - {
        'message_hub',
        'broken_samples',
    }:  # times, and as of the last check
        assert equal(*(end[key] for end in ends)), key
    assert logged(tmp_path / 'whole') == logged(tmp_path / 'killed')
