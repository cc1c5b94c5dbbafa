import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers import build_teacher
from mmact_ssl.models.teachers.onnx import OnnxPoseTeacher, OnnxTeacher
from mmact_ssl.models.teachers.preprocessing import scale

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')
SIZE = 32


def export(network, path, dtype, size):
    image = torch.zeros(1, size, size, 3, dtype=dtype)
    torch.onnx.export(network.eval(), (image,), str(path), input_names=['image'], dynamo=False)
    return str(path)


class RedChannel(nn.Module):
    """A network whose mask is the picture's red channel."""

    def forward(self, image):
        return image[..., :1]


@pytest.fixture
def mask(tmp_path):
    return export(RedChannel(), tmp_path / 'mask.onnx', torch.float32, SIZE)


@pytest.mark.parametrize('shape', [(20, 40), (40, 20), (45, 60)])
def test_a_mask_covers_the_whole_frame(mask, shape):
    """The network's mask is the picture: so must be the teacher's."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    pictures = np.stack([4 * rows, 4 * columns, 0 * rows]).astype(np.uint8)
    frames = torch.from_numpy(np.stack([pictures, pictures[[1, 0, 2]]]))
    maps = OnnxTeacher(mask, SIZE, map_size=16)(frames)
    wanted = scale(frames, (16, 16))[:, :1] / 255
    torch.testing.assert_close(maps, wanted, atol=0.02, rtol=0)


def test_a_mask_of_logits_is_refused(tmp_path):
    network = nn.Sequential(RedChannel(), nn.Linear(1, 1))
    nn.init.constant_(network[1].weight, 9.0)
    path = export(network, tmp_path / 'logits.onnx', torch.float32, SIZE)
    with pytest.raises(ConfigError, match=r'logits\.onnx.* are not probabilities'):
        OnnxTeacher(path, SIZE, map_size=16)(torch.full((1, 3, 20, 20), 255, dtype=torch.uint8))


@pytest.mark.parametrize('kind', [OnnxTeacher, OnnxPoseTeacher])
def test_a_wrong_size_is_named(mask, kind):
    options = dict(map_size=16) if kind is OnnxTeacher else {}
    with pytest.raises(ConfigError, match=r'mask\.onnx: .*\[1, 32, 32, 3\].* correct input_size'):
        kind(mask, input_size=SIZE + 16, **options)


def real_file(name: str) -> Path:
    """A published file, in the folder of the configs or where it was downloaded to."""
    root = Path(os.environ.get('MMACT_SSL_DATA', 'data'))
    for folder in ('teachers', 'movenet', 'selfie_seg'):
        if (root / folder / name).is_file():
            return root / folder / name
    pytest.skip(f'no {root}/teachers/{name}: see docs/extend/teachers.md, or set MMACT_SSL_DATA')


def test_the_real_person_mask_is_that_of_the_session(frames):
    """MediaPipe's network, where its file is there, on frames that need no resize."""
    import onnxruntime

    path = real_file('selfie_segmentation_256.onnx')
    config = dict(Config.fromfile('configs/teachers/selfie_segmentation.py').teacher)
    teacher = build_teacher({**config, 'model': str(path), 'map_size': 256})
    images = scale(frames[:2], (256, 256)).round().byte()
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    for image, found in zip(images, teacher(images)):
        pixels = image.permute(1, 2, 0)[None].numpy().astype(np.float32) / 255
        (wanted,) = session.run(None, {session.get_inputs()[0].name: pixels})
        np.testing.assert_allclose(found[0], wanted[0, :, :, 0], atol=1e-5)
    teacher = build_teacher({**config, 'model': str(path)})
    assert (teacher.kind, teacher.layout) == ('map', 'person')
    maps = teacher(frames)
    assert maps.shape == (5, 1, 64, 64)
    torch.testing.assert_close(maps[3:], teacher(frames[3:]))


SQUARE = 64  # pixels of the pose network's input


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
