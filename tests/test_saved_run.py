"""Configs inside checkpoints: read, never run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mmact_ssl.saved_run import SavedRun, find_value, read_assignments


def saved_run(path: Path, cfg: str, **meta: str) -> SavedRun:
    torch.save(dict(state_dict={}, meta=dict(cfg=cfg, **meta)), path / 'a.pth')
    return SavedRun.read(path / 'a.pth')


def test_assignments_are_read_and_not_run():
    text = "a = dict(b=[1, (2, None)], c={'d': -1.5})\nraise SystemExit\nb = print(1)"
    assert read_assignments(text, ['a']) == {'a': {'b': [1, (2, None)], 'c': {'d': -1.5}}}
    assert read_assignments(text, ['b']) == {}, 'it is not plain'
    names = 'c = [inf, torch.bfloat16, -inf, (np.float64(0.5), 1)]'
    values = ['inf', 'torch.bfloat16', '-inf', ('np.float64(0.5)', 1)]
    assert read_assignments(names, ['c']) == {'c': values}, 'one of them does not drop the others'
    for part in ('1 + x', 'f(x=1)', 'x[0]', '[i for i in x]'):
        for value in (part, f'[1, {part}]', f'dict(a=dict(b={part}))'):
            assert read_assignments(f'd = {value}', ['d']) == {}, 'a part of it is unknown'


@pytest.mark.parametrize('name', ['../../etc/x', 'a*', '', 'a/b', '/a'])
def test_a_name_that_leads_to_other_files_is_left_out(name: str, tmp_path: Path):
    text = f"dataset_name = {name!r}\nbackbone_name = 'gru-streams'"
    saved = saved_run(tmp_path, text, experiment_name='ms2l_gru_20260101_123456')
    assert (saved.config_name, saved.backbone_name) == ('ms2l_gru', 'gru-streams')
    assert saved.dataset_name == ''


def test_a_recognizer_has_no_config_of_a_pre_training(tmp_path: Path):
    text = 'model = dict(cls_head=dict())'
    assert saved_run(tmp_path, text, experiment_name='finetune_x_1400').config_name == ''


def test_a_value_is_found_at_any_depth():
    assert find_value({'a': 1, 'b': {'c': {'layout': 'ntu25'}}}, 'layout') == 'ntu25'
    assert find_value({'a': [1, {'layout': 'ntu25'}]}, 'layout') == 'ntu25'
    assert find_value({'a': [1, 'layout']}, 'layout') is None
    assert find_value({'layout': 'outer', 'b': {'layout': 'inner'}}, 'layout') == 'outer'


@pytest.mark.parametrize(
    'value',
    ['-' * 10_000 + '1', 'a' + '.a' * 10_000, '[' * 900 + ']' * 900, '{[]: 1}', "'" + '\\x00'],
    ids=['signs', 'names', 'lists', 'key', 'cut'],
)
def test_a_config_that_python_cannot_read_has_no_values(value: str, tmp_path: Path):
    saved = saved_run(tmp_path, f'model = {value}')
    assert (saved.config, saved.backbone, saved.labels_read) == ({}, {}, None)
