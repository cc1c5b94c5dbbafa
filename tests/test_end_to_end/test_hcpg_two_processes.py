"""HCPG with momentum encoder and queue in two processes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel

import mmact_ssl  # noqa: F401  the fixes
from mmact_ssl.engine.launch import fit_to_cpu
from mmact_ssl.engine.runner import PretrainRunner
from tests.helpers.processes import in_two_processes

QUEUE = ('filled', 'pointer')


@pytest.mark.slow
def test_both_have_one_queue_and_one_copy(hcpg_config: Config, tmp_path: Path):
    annotation = tmp_path / 'jhmdb' / 'train.txt'
    lines = annotation.read_text().splitlines()
    annotation.write_text('\n'.join([*lines, *lines[:2]]) + '\n')  # two steps of 2 x 2 an epoch
    hcpg_config.dump(tmp_path / 'config.py')
    first, second = in_two_processes(work, tmp_path)

    for name, value in first.items():
        # Each process normalizes by its own statistics; the copy has their mean.
        if 'running_' not in name or 'momentum_' in name:
            assert torch.equal(value, second[name]), name
    for task in ('appearance', 'motion'):
        queue = {name: first[f'heads.{task}.queue.{name}'] for name in QUEUE}
        assert queue['filled'].all()
        assert queue['pointer'] == 4 * 4 % 5, 'four steps of four keys'
    copy = first['momentum_encoder.module.backbone.layer4.1.conv2.conv.weight']
    student = first['backbone.layer4.1.conv2.conv.weight']
    assert 0 < (copy - student).norm() < 0.5 * student.norm()


def train(config: Config, work_dir: Path) -> dict[str, torch.Tensor]:
    """Train as one of two processes; the state of this one's model."""
    config = config.copy()
    for key in ('test_dataloader', 'test_cfg', 'test_evaluator'):
        config.pop(key)
    config.merge_from_dict(dict(work_dir=str(work_dir), experiment_name=work_dir.name))
    runner = PretrainRunner.from_cfg(config)
    runner.train()
    assert isinstance(runner.model, MMDistributedDataParallel)
    torch.distributed.barrier()  # until the checkpoint is written
    return {key: value.clone() for key, value in runner.model.module.state_dict().items()}


def work(rank: int, folder: Path) -> dict[str, torch.Tensor]:
    config = Config.fromfile(folder / 'config.py')
    config.launcher = 'pytorch'
    fit_to_cpu(config)
    return train(config, folder / 'run')
