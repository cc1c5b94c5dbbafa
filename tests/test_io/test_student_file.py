"""The record of a training in a file is read as plain values, and nothing of it runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mmact_ssl.io.student_file import StudentFile, find_value

WEIGHTS = {'backbone.a': torch.zeros(1)}


def student_file(path: Path, **record: object) -> StudentFile:
    torch.save(dict(state_dict=WEIGHTS, meta=dict(record=record)), path / 'a.pth')
    return StudentFile.read(path / 'a.pth')


@pytest.mark.parametrize('name', ['../../etc/x', 'a*', '', 'a/b', '/a'])
def test_a_name_that_leads_to_other_files_is_left_out(name: object, tmp_path: Path):
    saved = student_file(tmp_path, config='ms2l_gru', data=name)
    assert (saved.config_name, saved.method) == ('ms2l_gru', 'ms2l_gru')
    assert saved.dataset_name == ''


@pytest.mark.parametrize('content', [dict(state_dict=WEIGHTS, meta={}), WEIGHTS])
def test_a_file_without_a_record_has_no_values(tmp_path: Path, content: dict):
    torch.save(content, tmp_path / 'a.pth')
    if 'meta' not in content:  # of another project
        save_file(content, tmp_path / 'a.safetensors')
    for path in tmp_path.iterdir():
        saved = StudentFile.read(path)
        assert (saved.record, saved.config_name, saved.labels_read) == ({}, '', None)
        assert saved.sentence_encoders == {}


def test_a_value_is_found_at_any_depth():
    assert find_value({'a': 1, 'b': {'c': {'layout': 'ntu25'}}}, 'layout') == 'ntu25'
    assert find_value({'a': [1, {'layout': 'ntu25'}]}, 'layout') == 'ntu25'
    assert find_value({'a': [1, 'layout']}, 'layout') is None
    assert find_value({'layout': 'outer', 'b': {'layout': 'inner'}}, 'layout') == 'outer'
