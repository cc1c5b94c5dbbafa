"""The target cache killed and damaged: nothing wrong is ever read."""

import multiprocessing
import signal

import numpy as np
import pytest

from mmact_ssl.targets import cache as cache_module
from mmact_ssl.targets.cache import TargetCacheError, TargetMeta, TargetReader, TargetWriter

LAYOUTS = {'pose': 'coco17', 'embedding': '', 'map': 'person'}
SHAPES = {'pose': (50, 17, 3), 'embedding': (50, 40), 'map': (9, 1, 64, 64)}
FIRE = {kind: TargetMeta(kind, layout, 'a' * 64, 'made') for kind, layout in LAYOUTS.items()}
# A fresh interpreter would take seconds to import everything.
FORK = multiprocessing.get_context('fork')


def fire_array(kind, i):
    """Value of video number ``i``."""
    array = np.random.default_rng(i).random(SHAPES[kind], np.float32)
    array[:, 0] = i / 1e6  # something to compress
    return array


def write_range(path, first, last, kind, said):
    """Write videos and say each when it is durable."""
    with TargetWriter(path, FIRE[kind]) as writer:
        for i in range(first, last):
            writer.put(f'{i}.mp4', fire_array(kind, i))
            said.send(i)


@pytest.fixture(autouse=True)
def small_map(monkeypatch):
    """A map that has to grow."""
    monkeypatch.setattr(cache_module, 'INITIAL_MAP_BYTES', 1 << 17)


def start_writer(path, first, last, kind):
    heard, said = FORK.Pipe(duplex=False)
    process = FORK.Process(target=write_range, args=(path, first, last, kind, said))
    process.start()
    said.close()
    return process, heard


@pytest.mark.parametrize('kind', FIRE)
def test_killed_while_writing_and_resumed(tmp_path, kind):
    path = tmp_path / 'x.lmdb'
    process, heard = start_writer(path, 0, 10**6, kind)
    said = [heard.recv() for _ in range(30)][-1]
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    reader = TargetReader(path)
    done = len(reader.keys())
    assert done > said  # all that was reported is there
    for i in range(done):
        np.testing.assert_array_equal(reader.get(f'{i}.mp4'), fire_array(kind, i))
    with TargetWriter(path, FIRE[kind]) as writer:
        assert '0.mp4' in writer
        writer.put(f'{done}.mp4', fire_array(kind, done))
    assert len(reader.keys()) == done + 1


def iter_messages(heard):
    """Output of a process until it ends."""
    while True:
        try:
            yield heard.recv()
        except EOFError:
            return


def read_damaged(path, kind, seed, flips, said):
    """Flip a random bit of the file, read all, and again; says how often an error was raised."""
    file = path / 'data.mdb'
    whole = file.read_bytes()
    rng = np.random.default_rng(seed)
    for _ in range(flips):
        content = bytearray(whole)
        content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
        file.write_bytes(content)
        errors = 0
        for i in range(6):
            try:
                found = TargetReader(path).get(f'{i}.mp4')
            except TargetCacheError as error:
                assert '--overwrite' in str(error) or 'complete it' in str(error), error
                errors += 1
            else:
                assert np.array_equal(found, fire_array(kind, i)), 'wrong values'
        said.send(errors)


@pytest.mark.parametrize('kind', FIRE)
@pytest.mark.parametrize('seed', range(2))
def test_a_flipped_bit_never_gives_wrong_values(tmp_path, kind, seed):
    path, flips = tmp_path / 'x.lmdb', 80
    with TargetWriter(path, FIRE[kind]) as writer:
        for i in range(6):
            writer.put(f'{i}.mp4', fire_array(kind, i))
    heard, said = FORK.Pipe(duplex=False)
    # In a process of its own: reading a damaged file must not crash either.
    process = FORK.Process(target=read_damaged, args=(path, kind, seed, flips, said))
    process.start()
    said.close()
    errors = list(iter_messages(heard))
    process.join(60)
    assert process.exitcode == 0 and len(errors) == flips
    assert sum(map(bool, errors)) > 5  # much of a small file is never read
