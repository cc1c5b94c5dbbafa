import numpy as np
import pytest
import torch
from torch import nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers import build_teacher
from mmact_ssl.models.teachers.onnx import OnnxPoseTeacher

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')
SQUARE = 64  # pixels of the network's input


def export(network, path, dtype, size):
    image = torch.zeros(1, size, size, 3, dtype=dtype)
    torch.onnx.export(network.eval(), (image,), str(path), input_names=['image'], dynamo=False)
    return str(path)


class Centroid(nn.Module):
    """A network as MoveNet; all joints are the brightness centroid of the square."""

    def __init__(self, score):
        super().__init__()
        self.register_buffer('score', torch.tensor([score]))
        self.register_buffer('grid', (torch.arange(SQUARE) + 0.5) / SQUARE)

    def forward(self, image):
        weight = image[0].float().sum(-1)
        y, x = (weight.sum(axis) @ self.grid / weight.sum() for axis in (1, 0))
        return torch.cat([y[None], x[None], self.score]).expand(1, 1, 17, 3)


@pytest.fixture
def centroid(tmp_path):
    def make(score=0.75):
        path = tmp_path / f'centroid{score}.onnx'
        return export(Centroid(score), path, torch.int32, SQUARE)

    return make


def spot(height, width, y, x, radius=3):
    """uint8 (3, H, W), black with a white square around pixel (y, x)."""
    frame = np.zeros((3, height, width), np.uint8)
    frame[:, y - radius : y + radius + 1, x - radius : x + radius + 1] = 255
    return torch.from_numpy(frame)


@pytest.mark.parametrize('shape', [(64, 64), (48, 64), (128, 64), (90, 161), (33, 40), (256, 192)])
def test_the_letterbox_is_undone(centroid, shape):
    height, width = shape
    y, x = height // 3, 3 * width // 4
    (pose,) = OnnxPoseTeacher(centroid(), SQUARE)(spot(height, width, y, x)[None])
    wanted = [(x + 0.5) / width, (y + 0.5) / height, 0.75]
    # Half a pixel of the square: the scaled size is rounded to whole pixels.
    torch.testing.assert_close(pose, torch.tensor(wanted).expand(17, 3), atol=0.5 / SQUARE, rtol=0)


def test_the_fingerprint_follows_the_weights(centroid):
    config = {'type': 'OnnxPoseTeacher', 'model': centroid(), 'input_size': SQUARE}
    prints = {
        build_teacher(config).fingerprint(),
        build_teacher({**config, 'model': centroid(score=0.5)}).fingerprint(),
    }
    assert len(prints) == 2


def test_a_wrong_size_is_named(centroid):
    with pytest.raises(
        ConfigError, match=r'centroid.*onnx: .*\[1, 80, 80, 3\].* correct input_size'
    ):
        OnnxPoseTeacher(centroid(), SQUARE + 16)
