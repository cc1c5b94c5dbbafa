"""An extraction of several teachers that is killed at work goes on where it was."""

import contextlib
import multiprocessing
import signal
import time

import numpy as np
import torch

from mmact_ssl.models.teachers import BaseTeacher
from mmact_ssl.targets.cache import TargetCacheError, TargetReader
from mmact_ssl.targets.extraction import ExtractionJob, extract_many
from mmact_ssl.targets.run_teachers import run_teachers


class GrayTeacher(BaseTeacher):
    """Mean brightness, (N, D=1); takes its time."""

    kind = 'embedding'

    def __init__(self, pause=0.0):
        super().__init__({}, {})
        self.pause = pause

    def predict(self, frames):
        time.sleep(self.pause)
        return frames.float().mean((1, 2, 3))[:, None]


class ClipTeacher(GrayTeacher):
    """Brightness of the frames of clips, (N, D=3)."""

    window = (3, 2)

    def forward(self, clips):
        time.sleep(self.pause)
        return clips.float().mean((2, 3, 4))


class MapTeacher(GrayTeacher):
    """Brightness of places, (N, C=1, h, w)."""

    kind, layout = 'map', 'person'

    def predict(self, frames):
        time.sleep(self.pause)
        return torch.nn.functional.avg_pool2d(frames.float().mean(1, keepdim=True) / 255, 8)


TEACHERS = {'gray': GrayTeacher, 'clip': ClipTeacher, 'map': MapTeacher}


def extract(root, names, pause=0.0):
    jobs = [ExtractionJob(teacher(pause), root / name) for name, teacher in TEACHERS.items()]
    return extract_many(jobs, root, names)


def extract_slowly(root, names):
    # What another test left of OpenMP's threads does not exist in a forked process, where the next
    # pooling would wait for it.
    torch.set_num_threads(1)
    extract(root, names, pause=0.1)


def test_killed_and_resumed(tmp_path, make_video):
    names = [f'{i}.mp4' for i in range(20)]
    for i, name in enumerate(names):
        make_video(tmp_path / name, num_frames=5 + i % 4, width=64, height=48)
    # A fresh interpreter would take seconds to import everything. The pauses leave time to look, on
    # a busy machine too: all videos would take six seconds.
    process = multiprocessing.get_context('fork').Process(
        target=extract_slowly, args=(tmp_path, names)
    )
    process.start()
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and process.is_alive():
        with contextlib.suppress(TargetCacheError):  # not there yet
            if len(TargetReader(tmp_path / 'map').keys()) >= 3:
                break
        time.sleep(0.01)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL  # it was at work
    done = {name: set(TargetReader(tmp_path / name).keys()) for name in TEACHERS}
    assert all(3 <= len(keys) < 20 for keys in done.values())
    report = extract(tmp_path, names)
    assert report.skipped == len(set.intersection(*done.values()))
    for name, teacher in TEACHERS.items():
        reader = TargetReader(tmp_path / name)
        assert reader.keys() == sorted(names)
        for key in names:
            _, (wanted,) = run_teachers([teacher()], tmp_path / key)
            np.testing.assert_allclose(reader.get(key), wanted, rtol=1e-5)
