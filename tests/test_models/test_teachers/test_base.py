import pytest
import torch
from mmengine.model import ImgDataPreprocessor
from torch import nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers import BaseTeacher, build_teacher
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class MeanTeacher(BaseTeacher):
    """Mean color through a normalized linear layer, in the place of a pose."""

    layout = 'coco17'

    def __init__(self, scale=1.0, weights=None):
        super().__init__({'scale': scale}, {} if weights is None else {'weights': weights})
        self.network = (self.freeze_external(nn.Sequential(nn.Linear(3, 51), nn.BatchNorm1d(51))),)

    def predict(self, frames):
        assert frames.dtype == torch.uint8
        return self.network[0](frames.float().mean((2, 3)) / 255).reshape(-1, 17, 3)


@MODELS.register_module()
class PlainModule(nn.Module):
    """A module that is no teacher."""


class Student(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(3, 3)
        self.teacher = MeanTeacher()


def test_it_moves_with_the_student():
    student = Student().to('meta')
    assert student.teacher.device.type == 'meta'
    assert next(student.teacher.network[0].parameters()).device.type == 'meta'


def test_the_preprocessor_of_its_network_moves_inputs_along():
    """mmpose's and mmdetection's networks move frames to where their preprocessor was moved."""
    teacher = MeanTeacher()
    network = nn.ModuleDict(dict(data_preprocessor=ImgDataPreprocessor(mean=[0] * 3, std=[1] * 3)))
    teacher.network += (teacher.freeze_external(network),)
    teacher.to('meta')
    frames = network['data_preprocessor'](dict(inputs=[torch.zeros(3, 4, 4)]))['inputs']
    assert {frame.device.type for frame in frames} == {'meta'}


def test_frames_of_any_dtype_are_bytes():
    teacher = MeanTeacher()
    frames = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    assert torch.equal(teacher(frames), teacher(frames.float() + 0.3))
    assert torch.equal(
        teacher(torch.full((1, 3, 4, 4), 300.0)), teacher(torch.full((1, 3, 4, 4), 255))
    )
    with pytest.raises(ValueError, match=r'reads frames \[N, 3, H, W\], got \[3, 8, 8\]'):
        teacher(frames[0])
    teacher.window = (4, 2)
    for wrong in (frames, frames[:, None]):
        with pytest.raises(ValueError, match=r'reads clips \[N, 4, 3, H, W\], got \[2, '):
            teacher(wrong)


def test_build_teacher(tmp_path):
    config = tmp_path / 'teacher.py'
    config.write_text("teacher = dict(type='MeanTeacher', scale=3.0)\n")
    assert build_teacher(config).fingerprint() == MeanTeacher(3.0).fingerprint()
    assert build_teacher({'type': 'MeanTeacher'}).fingerprint() == MeanTeacher().fingerprint()
    config.write_text('model = dict()\n')
    # A config without a data set asks for one when it is read.
    for wrong, message in (
        ('configs/teachers/movnet.py', r'movnet\.py: no such config, did you mean configs/teach'),
        ('configs/dtg_tsm-lite0.py', r'dtg_tsm-lite0\.py has no dict `teacher`: give one of'),
        ('README.md', r'README\.md: .*: give one of configs/teachers/'),
        (config, r'teacher\.py has no dict `teacher`'),
        ({'type': 'PlainModule'}, 'PlainModule is not a teacher'),
    ):
        with pytest.raises(ConfigError, match=message):
            build_teacher(wrong)
