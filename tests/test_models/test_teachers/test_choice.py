"""Which teacher of poses is chosen, by what can be built and by the persons in some frames."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.models.teachers import choice


@pytest.mark.parametrize(
    'here, buildable, persons, expected',
    [
        (True, ('rtmpose-t_coco', 'movenet_lightning'), [], 'rtmpose-t_coco'),
        (False, ('rtmpose-t_coco', 'movenet_lightning'), [], 'movenet_lightning'),
        (False, ('rtmpose-t_coco',), [], 'rtmpose-t_coco'),
        (True, ('movenet_lightning', 'movenet_thunder', 'rtmo-s_coco'), [], 'movenet_thunder'),
        (True, ('rtmpose-t_coco', 'rtmo-s_coco'), [1, 1, 2, 1], 'rtmpose-t_coco'),
        (True, ('rtmpose-t_coco', 'rtmo-s_coco'), [2, 0, 3, 1], 'rtmo-s_coco'),
    ],
)
def test_the_first_that_can_be_built(tmp_path, monkeypatch, here, buildable, persons, expected):
    tried = []

    def build(config: str):
        tried.append(config)
        if not any(f'teachers/{name}.py' in config for name in buildable):
            raise DataError('no such file')
        return SimpleNamespace(count_persons=lambda frames: torch.tensor(persons))

    monkeypatch.setattr(choice, 'build_teacher', build)
    monkeypatch.setattr(choice, 'get_dir', lambda: tmp_path)
    address = Config.fromfile('configs/teachers/rtmpose-t_coco.py').teacher.checkpoint
    (tmp_path / 'checkpoints').mkdir()
    (tmp_path / 'checkpoints' / (Path(address).name if here else 'another.pth')).touch()
    name, why = choice.choose_pose_teacher(lambda: np.zeros((4, 8, 8, 3), np.uint8))
    assert name == expected and ('of 4 frames' in why) == bool(persons)
    assert ('rtmpose' in tried[0]) == here
    assert (why == 'rtmpose-t_coco is not on this machine') == name.startswith('movenet')


def test_none_can_be_built(monkeypatch, capsys):
    def build(config: str):
        raise ConfigError(f'{config}: fetch it to {"folder/" * 60}a.pth')

    monkeypatch.setattr(choice, 'build_teacher', build)
    with pytest.raises(ConfigError, match='no teacher of poses can be loaded'):
        choice.choose_pose_teacher(lambda: pytest.fail('the videos are not read before'))
    lines = capsys.readouterr().err.splitlines()
    assert {line.split(':')[0] for line in lines} == {f'  {name}' for name in choice.POSES}
    assert all(line.endswith('folder/a.pth') for line in lines)
