"""Each method as shipped: two processes have the losses and gradients of one with both batches.

Batch normalization is synchronized, as ``sync_bn='torch'`` does on GPUs alone. What is drawn in a
step (noise, dropped frames) is fixed, because each process draws its own.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing as mp
from mmengine.model import MMDistributedDataParallel
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmact_ssl.models.losses.common import gather_with_gradient
from mmact_ssl.models.networks.projector import RowNorm
from tests.five_methods import METHODS, make_model

# Targets without which a task has nothing to do, in the samples of the second process.
NOTHING = {'csvr': 'pose', 'hcpg': 'parts', 'c2vl': 'prompt_valid'}
plain_forward = _BatchNorm.forward


def synchronized(layer: _BatchNorm, values: Tensor) -> Tensor:
    """Batch normalization by the mean and variance of all processes' samples."""
    if not layer.training:
        return plain_forward(layer, values)
    everyone, _ = gather_with_gradient(values)
    axes = [axis for axis in range(values.ndim) if axis != 1]
    shape = [1, -1] + [1] * (values.ndim - 2)
    variance, mean = torch.var_mean(everyone, axes, correction=0)
    values = (values - mean.view(shape)) / (variance.view(shape) + layer.eps).sqrt()
    if layer.affine:
        values = values * layer.weight.view(shape) + layer.bias.view(shape)
    return values


@pytest.fixture(autouse=True)
def synchronize(monkeypatch):
    for layer in (_BatchNorm, RowNorm):
        monkeypatch.setattr(layer, 'forward', synchronized)


def make(method: str, samples: int) -> tuple[nn.Module, dict[str, Any]]:
    model, data = make_model(method, samples)
    return model.double(), data


def part(value: Any, index: int, parts: int) -> Any:
    """One process's samples of a batch."""
    if isinstance(value, dict):
        return {name: part(one, index, parts) for name, one in value.items()}
    if isinstance(value, Tensor):
        value = value.double() if value.is_floating_point() else value
        return value.chunk(parts)[index]
    size = len(value) // parts
    return value[index * size : (index + 1) * size]


def losses_and_gradients(model: nn.Module, data: dict, index: int, parts: int) -> dict[str, Tensor]:
    model = copy.deepcopy(model)
    own = part(data, index, parts)
    wrapped = MMDistributedDataParallel(model, device_ids=None) if parts > 1 else model
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tensor, 'float', Tensor.double)  # what mixed precision has to be raised to
        patch.setattr(Tensor, 'normal_', lambda values: values.fill_(0.3))
        patch.setattr(torch, 'rand', lambda *shape, **options: torch.full(shape, 0.5, **options))
        patch.setattr(torch, 'rand_like', lambda values: torch.full_like(values, 0.5))
        patch.setattr(torch, 'randint', lambda high, shape: torch.zeros(shape, dtype=torch.int64))
        logs = wrapped(**own, mode='loss')
    logs['loss'].backward()
    found = {name: value.detach() for name, value in logs.items() if 'loss' in name}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            found[f'gradient of {name}'] = parameter.grad
    return found


def one_process(rank: int, folder: str, cases: dict[str, tuple]) -> None:
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    found = {name: losses_and_gradients(*case, rank, 2) for name, case in cases.items()}
    torch.save(found, Path(folder, f'{rank}.pt'))


@pytest.mark.usefixtures('forked', 'data_of_methods')
def test_two_processes_equal_one_with_both_batches(tmp_path: Path):
    """In batches of two, in last ones of one sample, and where one process has no target."""
    cases = {}
    for method in METHODS:
        model, batch = make(method, 4)
        cases[method] = model, batch
        if method in NOTHING:
            batch = copy.deepcopy(batch)
            batch['targets']['clip'][NOTHING[method]][2:] = 0
            cases[f'{method}, nothing in one'] = model, batch
    # A single sample has no negatives in its own process.
    cases['ms2l, one sample each'] = cases['ms2l'][0], make('ms2l', 2)[1]
    cases['hcpg, one sample each'] = cases['hcpg'][0], make('hcpg', 2)[1]
    whole = {name: losses_and_gradients(*case, 0, 1) for name, case in cases.items()}
    mp.start_processes(one_process, (str(tmp_path), cases), nprocs=2, start_method='fork')
    halves = [torch.load(tmp_path / f'{rank}.pt') for rank in range(2)]
    for case, expected in whole.items():
        assert expected['loss'].isfinite() and len(expected) > 5
        for name, value in expected.items():
            one, other = (half[case][name] for half in halves)
            # Distributed training has taken the mean of the gradients.
            mean = one if 'gradient' in name else (one + other) / 2
            torch.testing.assert_close(
                mean, value, rtol=1e-5, atol=1e-9, msg=lambda m, n=name, c=case: f'{c}, {n}: {m}'
            )
        assert any(not torch.equal(halves[0][case][n], expected[n]) for n in expected), 'halves'
