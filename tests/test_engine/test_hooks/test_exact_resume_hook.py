"""ExactResumeHook: a run that is resumed anywhere equals the one that never stopped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.utils.data import Dataset

from mmact_ssl.engine.runner import PretrainRunner
from mmact_ssl.errors import ConfigError
from mmact_ssl.io.checkpoint_file import load_checkpoint_safely

WRAPPER = dict(
    type='MMDistributedDataParallel',
    device_ids=None,
    broadcast_buffers=False,
    find_unused_parameters=True,
)
SAMPLES = 13  # in batches of two: seven an epoch, the last one of one


class Seen(Dataset):
    """Samples of random numbers, and a list of those that were read."""

    def __init__(self) -> None:
        self.read: list[int] = []
        self.epoch = torch.zeros(1, dtype=torch.int64)
        self.lengths = list(range(SAMPLES))
        self.shards = torch.arange(SAMPLES).numpy() // 3

    def set_progress(self, seed: int, epoch: int, first: int) -> None:
        self.epoch.share_memory_()[0] = epoch  # mmengine has made a copy

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, index: int) -> dict:
        self.read.append(index)
        generator = torch.Generator().manual_seed(1000 * int(self.epoch) + index)
        return dict(inputs=torch.randn(3, generator=generator))


class Model(BaseModel):
    """Draws random numbers, keeps running statistics and gets no gradient for a part of it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.ReLU())
        self.unused = nn.Parameter(torch.zeros(2))
        self.losses: list[float] = []

    def forward(self, inputs: list[Tensor], mode: str = 'tensor') -> dict[str, Tensor]:
        # The last batch is of one sample alone, which batch normalization refuses.
        loss = self.layers(torch.stack([*inputs, *inputs])).square().mean()
        self.losses.append(loss.item())
        return dict(loss=loss)


class Killed(Hook):
    priority = 'LOWEST'

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if runner.iter + 1 == self.iteration:
            raise KeyboardInterrupt


VARIANTS = {
    'plain': {},
    'accumulated over the ends of epochs': dict(optim_wrapper=dict(accumulative_counts=3)),
    'shard by shard': dict(loader=dict(sampler=dict(type='ShardSampler', buffer=5))),
    'workers that live on': dict(loader=dict(num_workers=1, persistent_workers=True)),
    'averaged': dict(hooks=[dict(type='EMAHook', momentum=0.1)]),
}


@pytest.fixture
def train(make_runner, tmp_path: Path):
    def train(name: str, kill_at: int = 0, hooks=(), optim_wrapper=None, **options):
        torch.manual_seed(0)
        model = Model()
        wrapper = dict(optimizer=dict(type='Adam', lr=0.01), **(optim_wrapper or {}))
        runner = make_runner(
            tmp_path / name,
            model,
            Seen(),
            hooks=[dict(type='ExactResumeHook'), *hooks, *([Killed(kill_at)] if kill_at else [])],
            runner_class=PretrainRunner,
            train_cfg=dict(type='StepsTrainLoop', max_iters=15),
            optim_wrapper=wrapper,
            param_scheduler=[dict(type='CosineAnnealingLR', T_max=21, by_epoch=False)],
            default_hooks=dict(
                checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=4),
                seed_by_progress=dict(type='SeedByProgressHook'),
            ),
            **options,
        )
        if kill_at:
            with pytest.raises(KeyboardInterrupt):
                runner.train()
        else:
            runner.train()
        return model, runner.train_dataloader.dataset.read

    return train


def equal(first, second) -> bool:
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(equal(first[k], second[k]) for k in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(equal, first, second))
    return torch.equal(first, second) if isinstance(first, Tensor) else first == second


def test_a_loop_that_resumes_only_between_epochs_is_refused(make_runner, tmp_path: Path):
    hooks, loop = [dict(type='ExactResumeHook')], dict(by_epoch=True, max_epochs=1)
    with pytest.raises(ConfigError, match="set train_cfg.type='EpochTrainLoop'"):
        make_runner(tmp_path, Model(), Seen(), hooks, train_cfg=loop).train()


@pytest.mark.parametrize('variant', VARIANTS)
def test_killed_within_epochs_a_run_ends_the_same(train, variant: str, tmp_path: Path):
    """Killed in the first, after the last batch of it, and in a later one."""
    options = VARIANTS[variant]
    whole, _ = train('whole', **options)
    losses: list[float] = []
    for kill_at, saved in ((6, 4), (9, 8), (20, 20), (0, 21)):
        model, read = train('killed', kill_at, resume=bool(losses), **options)
        losses += model.losses
        assert (tmp_path / 'killed' / f'iter_{saved}.pth').is_file()
        del losses[saved:]  # what came after the checkpoint is lost
        if variant == 'plain' and kill_at == 9:
            assert len(read) == 2 * 2 + 1 + 2 * 2, 'those seen before are not read again'
    assert losses == whole.losses
    ends = [load_checkpoint_safely(tmp_path / n / 'iter_21.pth') for n in ('whole', 'killed')]
    for key in ('state_dict', 'optimizer', 'param_schedulers', 'exact_resume', 'ema_state_dict'):
        assert equal(*(end.get(key) for end in ends)), key
    assert equal(whole.state_dict(), model.state_dict())


def one_process(rank: int, folder: str, make_runner, sync: list[dict]) -> None:
    """Batches of its own; of two accumulated ones the first is before the checkpoint."""
    os.environ['LOCAL_RANK'] = str(rank)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    found = []
    for name, kill_at in (('whole', 0), ('killed', 9), ('killed', 0)):
        torch.manual_seed(0)
        runner = make_runner(
            Path(folder, name),
            Model(),
            Seen(),
            hooks=[dict(type='ExactResumeHook'), *sync, *([Killed(kill_at)] if kill_at else [])],
            runner_class=PretrainRunner,
            epochs=3,
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1), accumulative_counts=2),
            default_hooks=dict(
                checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1),
                seed_by_progress=dict(type='SeedByProgressHook'),
            ),
            cfg=dict(model_wrapper_cfg=WRAPPER),
            launcher='pytorch',
            resume=name == 'killed' and not kill_at,
        )
        try:
            runner.train()
        except KeyboardInterrupt:
            torch.distributed.barrier()
            continue
        found.append({k: v.clone() for k, v in runner.model.module.state_dict().items()})
    torch.save(found, Path(folder, f'{rank}.pt'))


@pytest.mark.usefixtures('forked')
@pytest.mark.parametrize('sync', [[], [dict(type='SyncBuffersHook')]], ids=['own', 'averaged'])
def test_each_process_has_its_own_gradients_and_statistics_again(make_runner, tmp_path, sync):
    """The statistics until the end of an epoch, at which a hook may average them."""
    arguments = str(tmp_path), make_runner, sync
    mp.start_processes(one_process, arguments, nprocs=2, start_method='fork')
    states = [torch.load(tmp_path / f'{rank}.pt') for rank in range(2)]
    for whole, resumed in states:
        assert equal(whole, resumed)
    names = [n for n, v in states[0][0].items() if not torch.equal(v, states[1][0][n])]
    assert names == ([] if sync else ['layers.1.running_mean', 'layers.1.running_var'])
