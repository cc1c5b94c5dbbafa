"""Kill trainings at random moments, resume them to the end, and compare with those never killed.

    python -m tests.campaigns.kill_and_resume --kills 20 csvr dtg hcpg ms2l c2vl mix

Each method trains a tiny config on made data in deterministic mode, with a checkpoint every other
iteration. SIGKILL hits while the program starts, trains, or saves. At the end all that the last
checkpoint holds, and all losses that any attempt has logged, must be the same to the bit. With
``--processes 2`` one of the two is killed, and the other one must end by itself.

A run is a fork of this program, which has imported everything: it starts in a second.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import init_default_scope

import mmact_ssl  # noqa: F401  the fixes
from mmact_ssl.engine.launch import configure_training
from mmact_ssl.io.checkpoint_file import load_checkpoint_safely, newest_checkpoint
from mmact_ssl.registry import MODELS
from tests.five_methods import METHODS, make_data, options_of, set_of
from tests.helpers.processes import free_port
from tests.helpers.upstream import spare_upstream
from tools import train

MOMENTS = ('starting', 'training', 'saving')
PATIENCE = 600  # seconds; a run takes some
LIMIT = 60  # seconds in which the other process of two ends when one is killed
FORK = multiprocessing.get_context('fork')


def work(argv: list[str], log: Path, environment: dict[str, str]) -> None:
    """Train, in a process and a session of its own."""
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.update(environment)
    spare_upstream()
    train.main(argv)


def start(argv: list[str], log: Path, processes: int) -> list[Any]:
    address = dict(
        WORLD_SIZE=str(processes), LOCAL_WORLD_SIZE=str(processes), MASTER_PORT=free_port()
    )
    runs = []
    for rank in range(processes):
        environment: dict[str, str] = {}
        if processes > 1:
            environment = dict(RANK=str(rank), LOCAL_RANK=str(rank), MASTER_ADDR='127.0.0.1')
            environment.update(address)
        runs.append(FORK.Process(target=work, args=(argv, log, environment)))
        runs[-1].start()
    return runs


def times(folder: Path, pattern: str) -> dict[Path, int]:
    """When files were changed, without those that vanish meanwhile."""
    found = {}
    for path in folder.glob(pattern):
        with suppress(OSError):
            found[path] = path.stat().st_mtime_ns
    return found


def kill_at_random(runs: list[Any], folder: Path, draw: random.Random) -> str:
    """Kill one of the processes at some moment; which kind, or '' if they have ended before."""
    # Without a launcher that ends it, a process waits half an hour for one that never comes.
    moment = draw.choice(MOMENTS if len(runs) == 1 else MOMENTS[1:])
    # What an earlier kill has left half-written is there already.
    patterns = dict(starting='*', training='*.pth', saving='*.pth.part')
    known = times(folder, patterns[moment])
    delay = draw.uniform(0, {'starting': 4.0, 'training': 0.5, 'saving': 0.02}[moment])
    end = time.monotonic() + PATIENCE
    while moment != 'starting' and time.monotonic() < end and runs[0].is_alive():
        if times(folder, patterns[moment]).items() - known.items():
            break
        time.sleep(0.001)
    time.sleep(delay)
    victim = draw.choice(runs)
    if victim.is_alive():
        os.kill(victim.pid, signal.SIGKILL)
    victim.join(PATIENCE)
    since = time.monotonic()
    for run in runs:
        run.join(LIMIT)
        if run.is_alive():
            os.killpg(run.pid, signal.SIGKILL)
            raise TimeoutError(f'a process lives {time.monotonic() - since:.0f} s after the other')
    assert {run.exitcode for run in runs} <= {-signal.SIGKILL, 1, 0}, 'a crash'
    return moment if victim.exitcode == -signal.SIGKILL else ''


def finish(runs: list[Any], log: Path) -> None:
    for run in runs:
        run.join(PATIENCE)
    if any(run.exitcode for run in runs):
        raise RuntimeError(f'{[r.exitcode for r in runs]}\n{log.read_text()[-3000:]}')


def losses(folder: Path) -> dict[int, set[str]]:
    """All that was logged of each step, by all attempts."""
    found: dict[int, set[str]] = {}
    for path in folder.glob('*/vis_data/scalars.json'):
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith('\n') and '"loss"' in line:
                logged = json.loads(line)
                values = {k: v for k, v in logged.items() if 'time' not in k and k != 'memory'}
                found.setdefault(logged['step'], set()).add(json.dumps(values, sort_keys=True))
    return found


def differences(first: Any, second: Any, path: str = '') -> list[str]:
    """Where nested dicts, lists and tensors differ in a bit."""
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        return [d for k in first for d in differences(first[k], second[k], f'{path}.{k}')]
    if isinstance(first, (list, tuple)) and len(first) == len(second):
        return [d for i, v in enumerate(first) for d in differences(v, second[i], f'{path}.{i}')]
    if isinstance(first, torch.Tensor):
        return [] if torch.equal(first, second) else [path]
    return [] if first == second else [path]


def words_of(method: str) -> list[str]:
    """Config of a method, and its set."""
    dataset = set_of(method)
    return [METHODS[method][0], *(['--set', dataset] if dataset else [])]


def campaign(method: str, kills: int, processes: int, root: Path, seed: int) -> str:
    """Run one method with and without kills; what was found, in a line.

    Raises:
        AssertionError: They are not the same.
    """
    config = words_of(method)
    # Seven samples in batches of two; after each kill it comes two iterations on, or a few.
    batches = 4 // processes
    epochs = (2 * kills + 8) // batches
    by_steps = 'max_iters' in configure_training(train.parse_args(config)).train_cfg
    length = f'max_iters={epochs * batches}' if by_steps else f'max_epochs={epochs}'
    draw = random.Random(f'{method} {seed}')
    folders = {name: root / f'{method}{processes}-{name}' for name in ('whole', 'killed')}
    counts: Counter[str] = Counter()
    for name, folder in folders.items():
        folder.mkdir()
        argv = [*config, f'--work-dir={folder}', '--deterministic', '--resume', '--cfg-options']
        argv += [
            *options_of(method),
            'default_hooks.checkpoint.by_epoch=False',
            'default_hooks.checkpoint.interval=2',
            'default_hooks.checkpoint.max_keep_ckpts=2',
            f'train_cfg.{length}',
        ]
        argv += ['--launcher=pytorch'] if processes > 1 else []
        log = root / f'{folder.name}.log'
        while name == 'killed' and sum(counts.values()) < kills:
            runs = start(argv, log, processes)
            moment = kill_at_random(runs, folder, draw)
            if not moment:
                break  # it has come to its end
            counts[moment] += 1
        finish(start(argv, log, processes), log)
    ends = {name: load_checkpoint_safely(newest_checkpoint(f)) for name, f in folders.items()}
    for end in ends.values():
        end.pop('message_hub')  # has times
        end.pop('broken_samples')  # as of the last check
        end['meta'] = {k: end['meta'][k] for k in ('epoch', 'iter', 'seed')}
    wrong = differences(ends['whole'], ends['killed'])
    logged = {name: losses(folder) for name, folder in folders.items()}
    wrong += [f'losses of step {s}' for s, v in logged['whole'].items() if logged['killed'][s] != v]
    tensors = sum(isinstance(v, torch.Tensor) for v in ends['whole']['state_dict'].values())
    line = (
        f'{method}: {processes} processes, {len(logged["whole"])} steps, killed {dict(counts)}, '
        f'{tensors} tensors of the model, {sum(map(len, logged["killed"].values()))} logs'
    )
    assert not wrong, f'{line}: not the same: {wrong[:5]}'
    return f'{line}: the same to the bit'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('methods', nargs='*', default=list(METHODS))
    parser.add_argument('--kills', type=int, default=20, help='of each method')
    parser.add_argument('--processes', type=int, default=1)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_data(root / 'data')
        os.environ['MMACT_SSL_DATA'] = str(root / 'data')
        init_default_scope('mmact_ssl')
        for method in args.methods:
            begin = sum(os.times()[2:4])  # of the forks
            # Imports what the forks need.
            MODELS.build(configure_training(train.parse_args(words_of(method))).model)
            found = campaign(method, args.kills, args.processes, root, args.seed)
            used = sum(os.times()[2:4]) - begin
            print(f'{found} ({used:.0f} s of processor time)', flush=True)


if __name__ == '__main__':
    main()
