"""A resumed run is compared with the one that saved its checkpoint."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.config import Config

from mmact_ssl.engine import same_run
from mmact_ssl.engine.same_run import RUN, check_same_run, describe_run
from mmact_ssl.errors import ConfigError

CONFIG: dict[str, Any] = dict(
    model=dict(heads=dict(a=dict(weight=1.0))),
    optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.01), accumulative_counts=1),
    param_scheduler=[dict(type='LinearLR', end=1), dict(type='MultiStepLR', milestones=[1, 3])],
    train_dataloader=dict(batch_size=2, dataset=dict(pipeline=[dict(type='Crop')])),
)


def make_runner(options: dict[str, Any], names: str = 'abc', samples: int = 13) -> SimpleNamespace:
    """A run of the config with these options, and the warnings that it logs."""
    cfg = Config(copy.deepcopy(CONFIG))
    cfg.merge_from_dict(options)
    dataset = type('Samples', (), {'__len__': lambda self: samples, 'names_hash': names})()
    return SimpleNamespace(
        cfg=cfg,
        train_dataloader=SimpleNamespace(dataset=dataset),
        messages=(messages := []),
        logger=SimpleNamespace(warning=messages.append),
    )


def checkpoint_of(runner: SimpleNamespace) -> dict[str, Any]:
    return dict(meta={RUN: describe_run(runner)})


@pytest.mark.parametrize(
    ('options', 'line'),
    [
        ({'optim_wrapper.optimizer.lr': 0.1}, 'optim_wrapper.optimizer.lr was 0.01, and is 0.1'),
        ({'optim_wrapper.type': 'AmpOptimWrapper'}, "optim_wrapper.type was None, and is 'Amp"),
        ({'optim_wrapper.accumulative_counts': 2}, 'accumulative_counts was 1, and is 2'),
        ({'param_scheduler.1.milestones': [2, 3]}, '1.milestones.0 was 1, and is 2'),
        ({'param_scheduler': [dict(type='PolyLR')]}, 'param_scheduler was [{'),
        ({'train_dataloader.batch_size': 4}, 'train_dataloader.batch_size was 2, and is 4'),
    ],
)
def test_another_optimizer_schedule_or_batch_is_refused(options, line):
    checkpoint = checkpoint_of(make_runner({}))
    with pytest.raises(ConfigError) as error:
        check_same_run(make_runner(options), 'x.pth', checkpoint)
    assert line in str(error.value) and str(error.value).startswith('x.pth: ')
    assert 'load_from' in str(error.value)


def test_other_samples_or_processes_are_refused(monkeypatch):
    checkpoint = checkpoint_of(make_runner({}))
    for changed in (dict(names='abd'), dict(samples=14)):
        with pytest.raises(ConfigError, match="samples was '13 abc', and is"):
            check_same_run(make_runner({}, **changed), 'x.pth', checkpoint)
    monkeypatch.setattr(same_run, 'get_world_size', lambda: 2)
    with pytest.raises(ConfigError, match='processes was 1, and is 2'):
        check_same_run(make_runner({}), 'x.pth', checkpoint)


def test_any_other_change_is_told():
    runner = make_runner({'model.heads.a.weight': 2.0, 'model.heads.b': dict(weight=0.5)})
    check_same_run(runner, 'x.pth', checkpoint_of(make_runner({})))
    assert [message.partition(':')[2] for message in runner.messages] == [
        ' model.heads.a.weight was 1.0, and is 2.0: training goes on with the new value',
        " model.heads.b was None, and is {'weight': 0.5}: training goes on with the new value",
    ]


def test_the_same_run_and_one_without_a_record_go_on():
    runner = make_runner({})
    check_same_run(runner, 'x.pth', checkpoint_of(make_runner({})))
    check_same_run(make_runner({}, names='abd'), 'x.pth', dict(meta={}))
    assert runner.messages == []
