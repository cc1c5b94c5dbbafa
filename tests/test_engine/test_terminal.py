"""Output of a run on the screen and in its log file."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModel

from mmact_ssl.engine.terminal import QuietRunner, ShortLogProcessor, end_process_group
from mmact_ssl.errors import DataError
from tests.test_engine.test_checkpoint import OneWeight


class Samples(BaseDataset):
    def load_data_list(self) -> list[dict]:
        return [{'inputs': torch.ones(1)} for _ in range(4)]


class Model(BaseModel):
    """Tasks with losses to add up and other numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, inputs, sample_idx, mode='loss'):
        losses = {}
        for task in range(2):
            losses[f'task{task}/loss'] = self.weight * (task + 1)
            losses[f'task{task}/loss_generator'] = self.weight * 0.25
            losses[f'task{task}/accuracy'] = torch.tensor(0.5)
        return losses


@pytest.fixture
def train(tmp_path, capsys, make_runner):
    """Trains; the lines on the screen and the text of the log file."""

    def run():
        runner = make_runner(
            tmp_path,
            Model(),
            Samples(),
            epochs=12,
            loader=dict(batch_size=1),
            default_hooks=dict(logger=dict(type='LoggerHook', interval=2)),
            log_processor=dict(type='ShortLogProcessor', window_size=1),
            log_level='INFO',
            runner_class=QuietRunner,
        )
        runner.train()
        runner.logger.warning('look out')
        runner.logger.warning('stem.weight is skipped since its requires_grad=False')
        (log,) = tmp_path.rglob('*.log')
        return capsys.readouterr().out.splitlines(), log.read_text()

    return run


def test_the_screen_shows_progress_and_warnings_and_the_file_all(tmp_path, train):
    screen, log = train()
    for dump in ('System environment', 'Hooks will be executed', 'Exp name', 'requires_grad'):
        assert dump in log
        assert dump not in '\n'.join(screen)
    line = next(line for line in screen if 'epoch  2/12 step 4/4' in line)
    # The loss is the sum; each task's are those that it minimizes.
    tasks = {'task0': 1.25, 'task1': 2.25}
    weight = float(line.split('task1 ')[1].split()[0]) / tasks['task1']
    for name, value in {'loss': 3.5, **tasks}.items():
        assert f'  {name} {value * weight:.4g}'[:-1] in line
    assert '  left 0:0' in line and line.endswith('  lr 0.01000')
    assert any(line.endswith(' WARNING: look out') for line in screen)
    assert 'task0/accuracy' in next(tmp_path.rglob('scalars.json')).read_text()


def test_a_metric_is_the_mean_over_batches_in_which_something_counts(make_runner, tmp_path):
    runner = make_runner(tmp_path, Model(), Samples(), epochs=1, loader=dict(batch_size=1))
    processor = ShortLogProcessor(window_size=3, mean_pattern=r'.*(loss|accuracy).*')
    for value in (9.0, 0.25, float('nan'), 0.75):
        runner.message_hub.update_scalar('train/task/accuracy', value)
    runner.message_hub.update_scalar('train/task/loss', float('nan'))
    tag = processor._collect_scalars([], runner, 'train')
    assert tag['task/accuracy'] == 0.5
    assert tag['task/loss'] != tag['task/loss'], 'a loss that is NaN must be seen'


GROUP = """
import gc
from pathlib import Path
import torch
from mmact_ssl.engine.terminal import end_process_group

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
        runner_class=QuietRunner,
    )
    with pytest.raises(DataError, match=r'no batch has come for 1 seconds: .*dataloader\.timeout'):
        runner.train()
