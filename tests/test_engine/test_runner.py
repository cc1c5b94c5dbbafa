"""The end of a run: of its process group, and of one whose data do not come."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from mmact_ssl.engine.runner import PretrainRunner, end_process_group, remove_others
from mmact_ssl.errors import ConfigError, DataError
from tests.helpers.processes import Process
from tests.test_io.test_checkpoint_file import OneWeight

GROUP = """
import gc
from pathlib import Path
import torch
from mmact_ssl.engine.runner import end_process_group

def threads():
    return list(Path('/proc/self/task').iterdir())

gc.disable()
torch.distributed.init_process_group('gloo', f'file://{FILE}', world_size=1, rank=0)
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 2))
model.cycle = [model]
assert len(threads()) > 3
del model
end_process_group()
assert len(threads()) <= 2  # the main one and, while it ends, the one that waited for the group
"""


def test_no_thread_of_a_process_group_outlives_it(tmp_path):
    """A thread that releases a tensor while the interpreter ends would abort the program."""
    script = f'FILE = {str(tmp_path / "store")!r}\n{GROUP}'
    Process.program('-c', script).wait()


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


def test_accumulated_batches_are_one_batch_of_the_learning_rate(make_runner, tmp_path):
    """One batch of 8, or four of 2 on which the optimizer steps once."""
    for batch, accumulated, base, rate in ((8, 1, 8, 0.1), (2, 4, 8, 0.1), (2, 4, 16, 0.05)):
        optimizer = dict(type='SGD', lr=0.1)
        runner = make_runner(
            tmp_path / f'{batch}_{base}',
            OneWeight(),
            [dict(inputs=torch.ones(1))] * 8,
            runner_class=PretrainRunner,
            loader=dict(batch_size=batch),
            optim_wrapper=dict(optimizer=optimizer, accumulative_counts=accumulated),
        )
        said: list[str] = []
        runner.logger.warning = said.append
        runner._train_loop = runner.build_train_loop(runner._train_loop)
        wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        runner.scale_lr(wrapper, dict(base_batch_size=base))
        told = f'is for batches of {base} and these are of 8' in ''.join(said)
        assert told is (base != 8) and wrapper.get_lr()['lr'] == [0.1]
        runner.scale_lr(wrapper, dict(base_batch_size=base, enable=True))
        assert wrapper.get_lr()['lr'] == pytest.approx([rate])


class Rates(Hook):
    """The learning rate of each step."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.rates += runner.optim_wrapper.get_lr()['lr']


@pytest.mark.parametrize('length', [1, 2])
@pytest.mark.parametrize('is_ramp', [True, False])
def test_a_warm_up_reaches_the_learning_rate(make_runner, tmp_path, length, is_ramp, capsys):
    ramp, flat = dict(type='LinearLR', start_factor=0.01), dict(type='ConstantLR', factor=0.01)
    found = Rates()
    make_runner(
        tmp_path,
        OneWeight(),
        [dict(inputs=torch.ones(1))] * 2,  # a step an epoch
        hooks=[found],
        epochs=8,
        runner_class=PretrainRunner,
        param_scheduler=[
            dict(ramp if is_ramp else flat, begin=0, end=length, convert_to_iter_based=True),
            dict(type='CosineAnnealingLR', begin=length, end=7 + length, by_epoch=False),
        ],
    ).train()
    assert found.rates[0] == pytest.approx(0.01 * 0.01)
    assert found.rates[length] == pytest.approx(0.01)
    assert found.rates[length:] == sorted(found.rates[length:], reverse=True)
    assert ('ends at step 9, the training at 8: ' in capsys.readouterr().out) == (length == 2)


def test_a_worker_that_sends_nothing_ends_the_run_in_one_line(make_runner, tmp_path):
    options = dict(loader=dict(num_workers=1, timeout=1), runner_class=PretrainRunner)
    runner = make_runner(tmp_path, OneWeight(), Sleeping(), **options)
    with pytest.raises(DataError, match=r'no batch has come for 1 seconds: .*dataloader\.timeout'):
        runner.train()


class Failing(Hook):
    """Fails in a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if runner.iter == self.step:
            raise KeyError('mine')


def test_an_error_is_a_mistake_of_the_config_until_a_step_is_made(make_runner, tmp_path):
    """Later ones are bugs, and keep their traceback."""
    for step, kind in ((0, ConfigError), (1, KeyError)):
        runner = make_runner(
            tmp_path / str(step),
            OneWeight(),
            [dict(inputs=torch.ones(1))] * 8,
            hooks=[Failing(step)],
            runner_class=PretrainRunner,
        )
        with pytest.raises(kind, match='mine'):
            runner.train()


def test_workers_end_with_the_training(make_runner, tmp_path):
    """Not when the runner is garbage, which torch notices seconds later."""
    runner = make_runner(
        tmp_path,
        OneWeight(),
        [dict(inputs=torch.ones(1))] * 8,
        runner_class=PretrainRunner,
        epochs=2,
        loader=dict(num_workers=1, persistent_workers=True),
    )
    before = {*multiprocessing.active_children()}
    runner.train()
    assert {*multiprocessing.active_children()} <= before


def test_layers_without_deterministic_gradients_do_not_end_a_deterministic_run(
    tmp_path, monkeypatch
):
    monkeypatch.setenv('CUBLAS_WORKSPACE_CONFIG', '')  # noted, to be put back
    monkeypatch.delenv('CUBLAS_WORKSPACE_CONFIG')
    for name in ('deterministic', 'benchmark'):
        monkeypatch.setattr(torch.backends.cudnn, name, getattr(torch.backends.cudnn, name))
    settings = dict(randomness=dict(seed=0, deterministic=True), log_level='WARNING')
    try:
        PretrainRunner.from_cfg(
            Config(dict(model=dict(type=OneWeight), work_dir=str(tmp_path), **settings))
        )
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
    assert os.environ['CUBLAS_WORKSPACE_CONFIG'] == ':4096:8'


def test_a_refused_start_removes_its_own_files_alone(tmp_path):
    for name in ('20260101_120000/a.log', 'mine.py', 'epoch_1.pth', 'notes/a.txt'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('')
    remove_others(tmp_path, {tmp_path / 'mine.py'})
    assert {path.name for path in tmp_path.glob('*')} == {'mine.py', 'epoch_1.pth', 'notes'}
