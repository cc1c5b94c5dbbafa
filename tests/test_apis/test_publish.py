"""The projectors of sentences that a published file takes from its training."""

from __future__ import annotations

import pytest
import torch

from mmact_ssl.apis.publish import text_part
from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.io.student_file import StudentFile
from tests.helpers.students import Words, prompt_head, write_student


def test_the_encoder_of_a_file_is_that_of_its_training(skeleton_encoder, tmp_path, monkeypatch):
    checkpoint = write_student(tmp_path / 'epoch.pth', skeleton_encoder, prompts=prompt_head())
    with pytest.raises(ConfigError, match='teachers/no_such.py: no such config'):
        text_part(StudentFile.read(checkpoint), 'no_such')
    monkeypatch.setattr('mmact_ssl.models.teachers.build_teacher', lambda config: Words())
    state = torch.load(checkpoint)
    record = {'train': {'prompt': {'f00': 'SentenceTeacher(other)'}}}
    torch.save({**state, 'meta': {'target_caches': record}}, tmp_path / 'told.pth')
    told = r"learned from sentences of 'SentenceTeacher\(other\)', an"
    with pytest.raises(ConfigError, match=told):
        text_part(StudentFile.read(tmp_path / 'told.pth'), 'minilm')
    torch.save(dict(state_dict={'backbone.a': torch.ones(2)}), tmp_path / 'bare.pth')
    with pytest.raises(CheckpointError, match='holds 0 heads that match sentences'):
        text_part(StudentFile.read(tmp_path / 'bare.pth'), 'minilm')
