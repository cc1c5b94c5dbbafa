"""Kill parts of a training of two processes under the real torchrun, and see how all of it ends.

    python -m tests.campaigns.kill_ranks

A killed rank: torchrun names it and ends the other. torchrun killed: its ranks end. SIGTERM to
torchrun: the ranks save, and the training goes on from there. Times are printed.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.five_methods import METHODS, make_data, options_of

ROOT = Path(__file__).parents[2]
PATIENCE = 600  # seconds until the first step, on a busy machine


class Launch:
    """dist_train.sh with two processes, up to its first steps."""

    def __init__(self, folder: Path, name: str, *options: str) -> None:
        self.mark, self.work = f'KILL_RANKS={folder}/{name}', folder / name
        self.log = folder / f'{name}.log'
        path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
        environment = {'PATH': path, 'KILL_RANKS': f'{folder}/{name}'}
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            environment['PORT'] = str(free.getsockname()[1])
        environment['MMACT_SSL_DATA'] = str(folder / 'data')
        command = ['tools/dist_train.sh', METHODS['ms2l'][0], '2', f'--work-dir={self.work}']
        command += [*options, '--cfg-options', *options_of('ms2l')]
        with self.log.open('a') as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **environment}, stdout=log, stderr=log
            )

    def wait_for_steps(self) -> None:
        end = time.monotonic() + PATIENCE
        while not any('"loss"' in p.read_text() for p in self.work.glob('*/vis_data/scalars.json')):
            assert self.process.poll() is None and time.monotonic() < end, self.log.read_text()
            time.sleep(0.1)

    def pids(self, wanted: str = '') -> list[int]:
        """All living processes of this launch, or those with a variable and without a worker's."""
        found = []
        for path in Path('/proc').glob('[0-9]*'):
            try:
                variables = (path / 'environ').read_text().split('\0')
                if self.mark in variables and (not wanted or wanted in variables):
                    found.append(int(path.name))
            except OSError:
                continue
        return found

    def agent(self) -> int:
        """The torchrun that the script has started: without a rank."""
        ranks = {pid for rank in '01' for pid in self.pids(f'RANK={rank}')}
        return next(pid for pid in self.pids() if pid not in ranks and pid != self.process.pid)

    def seconds_to_the_end(self, limit: float) -> float:
        since = time.monotonic()
        while self.pids():
            assert time.monotonic() - since < limit, f'{self.pids()} live on after {limit} s'
            time.sleep(0.05)
        self.process.wait()
        return time.monotonic() - since


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_data(folder / 'data')
        endless = ('train_cfg.max_iters=1000000', 'default_hooks.checkpoint.interval=1000000')
        for kind in ('a rank', 'torchrun'):
            launch = Launch(folder, kind.replace(' ', '_'), '--cfg-options', *endless)
            launch.wait_for_steps()
            (rank,) = launch.pids('RANK=1')
            os.kill(rank if kind == 'a rank' else launch.agent(), signal.SIGKILL)
            used = launch.seconds_to_the_end(60)
            said = launch.log.read_text()
            if kind == 'a rank':
                assert 'exitcode: -9' in said and f'pid: {rank}' in said, said[-3000:]
            print(
                f'{kind} killed: all ended after {used:.1f} s, status {launch.process.returncode}'
            )
        launch = Launch(folder, 'told', '--cfg-options', *endless)
        launch.wait_for_steps()
        os.kill(launch.agent(), signal.SIGTERM)
        used = launch.seconds_to_the_end(60)
        assert (launch.work / 'stopped.pth').is_file(), launch.log.read_text()[-3000:]
        print(f'SIGTERM to torchrun: saved and ended after {used:.1f} s')
        launch = Launch(folder, 'told', '--resume', '--cfg-options', *endless)
        while 'resumed epoch' not in launch.log.read_text():
            assert launch.process.poll() is None, launch.log.read_text()[-3000:]
            time.sleep(0.1)
        os.kill(launch.agent(), signal.SIGKILL)
        launch.seconds_to_the_end(60)
        print(next(line for line in launch.log.read_text().splitlines() if 'resumed epoch' in line))


if __name__ == '__main__':
    main()
