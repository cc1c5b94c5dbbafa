"""The target cache killed, shared by writers and damaged: nothing wrong is ever read."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from mmact_ssl.datasets.targets import TargetMeta, TargetReader, TargetWriter

LAYOUTS = {'pose': 'coco17', 'embedding': '', 'map': 'person'}
FIRE = {kind: TargetMeta(kind, layout, 'a' * 64, 'made') for kind, layout in LAYOUTS.items()}


# The programs below import this module.
ENVIRONMENT = {**os.environ, 'PYTHONPATH': f'{os.getcwd()}:{os.path.dirname(__file__)}'}


def fire_array(kind, i):
    """What video number `i` holds."""
    shape = {'pose': (50, 17, 3), 'embedding': (50, 40), 'map': (9, 1, 64, 64)}[kind]
    array = np.random.default_rng(i).random(shape, np.float32)
    array[:, 0] = i / 1e6  # something to compress
    return array


WRITER = """
import sys
from mmact_ssl.datasets.targets import TargetWriter
from test_targets_under_fire import FIRE, fire_array
path, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
kind = sys.argv[4]
with TargetWriter(path, FIRE[kind], map_bytes=1 << 17) as writer:
    for i in range(first, last):
        writer.put(f'{i}.mp4', fire_array(kind, i))
        print(i, flush=True)
"""


def start_writer(path, first, last, kind='pose'):
    command = [sys.executable, '-c', WRITER, str(path), str(first), str(last)]
    return subprocess.Popen([*command, kind], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)


@pytest.mark.parametrize('kind', FIRE)
def test_killed_while_writing_and_resumed(tmp_path, kind):
    path = tmp_path / 'x.lmdb'
    process = start_writer(path, 0, 10**6, kind)
    for _ in range(30):
        said = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    reader = TargetReader(path)
    assert len(reader) > said  # all that was reported is there
    done = len(reader)
    for i in range(done):
        np.testing.assert_array_equal(reader.get(f'{i}.mp4'), fire_array(kind, i))
    with TargetWriter(path, FIRE[kind]) as writer:
        assert '0.mp4' in writer
        writer.put(f'{done}.mp4', fire_array(kind, done))
    assert len(reader) == done + 1


@pytest.mark.parametrize('kind', FIRE)
def test_two_writers_at_once(tmp_path, kind):
    path = tmp_path / 'x.lmdb'
    processes = [start_writer(path, 0, 50, kind), start_writer(path, 50, 100, kind)]
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0, 0]
    reader = TargetReader(path)
    assert len(reader) == 100
    for i in range(100):
        np.testing.assert_array_equal(reader.get(f'{i}.mp4'), fire_array(kind, i))


READER = """
import sys, numpy as np
from mmact_ssl.datasets.targets import TargetCacheError, TargetReader
from test_targets_under_fire import FIRE, fire_array
path, kind, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
data = open(path + '/data.mdb', 'rb').read()
rng = np.random.default_rng(seed)
print('start', flush=True)
for _ in range(40):
    bad = bytearray(data)
    place = int(rng.integers(len(bad)))
    bad[place] ^= 1 << int(rng.integers(8))
    open(path + '/data.mdb', 'wb').write(bad)
    print('at', place, flush=True)
    for i in range(6):
        try:
            found = TargetReader(path, 'a' * 64).get(f'{i}.mp4')
        except TargetCacheError as error:
            assert '--overwrite' in str(error) or 'complete it' in str(error), error
        else:
            assert np.array_equal(found, fire_array(kind, i)), 'wrong values'
print('done')
"""


@pytest.mark.parametrize('kind', FIRE)
@pytest.mark.parametrize('seed', range(2))
def test_a_flipped_bit_never_gives_wrong_values(tmp_path, kind, seed):
    path = tmp_path / 'x.lmdb'
    with TargetWriter(path, FIRE[kind]) as writer:
        for i in range(6):
            writer.put(f'{i}.mp4', fire_array(kind, i))
    command = [sys.executable, '-c', READER, str(path), kind, str(seed)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, env=ENVIRONMENT)
    assert result.stdout.endswith('done\n'), result.stdout[-60:] + result.stderr
