"""Which teacher of poses is chosen, by what can be built and by the persons in some frames."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.models.teachers import choice


@pytest.mark.parametrize(
    'buildable, persons, expected',
    [
        (('rtmpose-t_coco', 'movenet_lightning'), [], 'rtmpose-t_coco'),
        (('movenet_lightning', 'rtmo-s_coco'), [], 'movenet_lightning'),
        (('rtmpose-t_coco', 'rtmo-s_coco'), [1, 1, 2, 1], 'rtmpose-t_coco'),
        (('rtmpose-t_coco', 'rtmo-s_coco'), [2, 0, 3, 1], 'rtmo-s_coco'),
    ],
)
def test_the_first_that_can_be_built(monkeypatch, buildable, persons, expected):
    def build(config: str):
        if not any(f'teachers/{name}.py' in config for name in buildable):
            raise DataError('no such file')
        return SimpleNamespace(count_persons=lambda frames: torch.tensor(persons))

    monkeypatch.setattr(choice, 'build_teacher', build)
    name, why = choice.choose_pose_teacher(lambda: np.zeros((4, 8, 8, 3), np.uint8))
    assert name == expected
    assert ('of 4 frames' in why) == bool(persons)
    assert ('rtmpose-t_coco cannot be loaded here' in why) == (name == 'movenet_lightning')


def test_none_can_be_built(monkeypatch):
    def build(config: str):
        raise ConfigError(f'{config}: fetch it to {"folder/" * 60}a.pth')

    monkeypatch.setattr(choice, 'build_teacher', build)
    with pytest.raises(ConfigError, match=r'by --teacher: .*folder/a\.pth; movenet_lightning'):
        choice.choose_pose_teacher(lambda: np.zeros((1, 8, 8, 3), np.uint8))
