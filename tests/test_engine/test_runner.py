"""The end of a run: of its process group, and of one whose data do not come."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
import torch

from mmact_ssl.engine.runner import (
    PretrainRunner,
    check_views_are_one_batch,
    end_process_group,
)
from mmact_ssl.errors import ConfigError, DataError
from tests.test_engine.test_checkpoint import OneWeight

GROUP = """
import gc
from pathlib import Path
import torch
from mmact_ssl.engine.runner import end_process_group

def threads():
    return [name for path in Path('/proc/self/task').glob('*/comm')
            if 'gloo' in (name := path.read_text())]

gc.disable()
torch.distributed.init_process_group('gloo', f'file://{FILE}', world_size=1, rank=0)
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 2))
model.cycle = [model]
assert threads()
del model
end_process_group()
assert not threads(), threads()
"""


def test_no_thread_of_a_process_group_outlives_it(tmp_path):
    """A thread that releases a tensor while the interpreter ends would abort the program."""
    script = f'FILE = {str(tmp_path / "store")!r}\n{GROUP}'
    subprocess.run([sys.executable, '-c', script], check=True, timeout=600)


def test_a_join_that_never_ends_does_not_hold_the_program(monkeypatch):
    joined = threading.Event()
    monkeypatch.setattr(torch.distributed, 'is_initialized', lambda: True)
    monkeypatch.setattr(torch.distributed, 'destroy_process_group', joined.wait)
    end_process_group(patience=0.01)
    joined.set()


def test_views_apart_are_not_recomputed_in_several_processes():
    for views, together in ((('clip',), False), (('clip', 'clip_b'), True)):
        check_views_are_one_batch(SimpleNamespace(encode_names=views, encode_together=together))
    check_views_are_one_batch(OneWeight())
    apart = SimpleNamespace(encode_names=('clip', 'clip_b'), encode_together=False)
    with pytest.raises(ConfigError, match=r"the views \('clip', 'clip_b'\) must .* as one batch"):
        check_views_are_one_batch(apart)


class Sleeping(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        time.sleep(30)


def test_a_worker_that_sends_nothing_ends_the_run_in_one_line(make_runner, tmp_path):
    runner = make_runner(
        tmp_path,
        OneWeight(),
        Sleeping(),
        loader=dict(num_workers=1, timeout=1),
        runner_class=PretrainRunner,
    )
    with pytest.raises(DataError, match=r'no batch has come for 1 seconds: .*dataloader\.timeout'):
        runner.train()
