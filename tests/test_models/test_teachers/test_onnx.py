import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers import build_teacher
from mmact_ssl.models.teachers.onnx import (
    OnnxPoseTeacher,
    OnnxTeacher,
)
from mmact_ssl.models.teachers.preprocessing import scale

pytest.importorskip('onnxruntime')
SIZE = 32
FLOAT, INT32 = 1, 6  # of onnx.TensorProto
WEIGHTS = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)


@pytest.fixture
def embedding(tmp_path, write_onnx):
    """NCHW, any batch: the mean color through a matrix, and the mean color itself."""
    return write_onnx(
        tmp_path / 'embedding.onnx',
        [
            ('ReduceMean', ['image'], 'color', dict(axes=[2, 3], keepdims=0)),
            ('MatMul', ['color', 'weights'], 'feature', {}),
        ],
        dict(image=(FLOAT, ('batch', 3, SIZE, SIZE))),
        dict(feature=(FLOAT, ('batch', 5)), color=(FLOAT, ('batch', 3))),
        weights=WEIGHTS,
    )


@pytest.fixture
def mask(tmp_path, write_onnx):
    """NHWC, one image: red and green as they are, a network whose map is the picture."""
    return write_onnx(
        tmp_path / 'mask.onnx',
        [('MatMul', ['image', 'pick'], 'map', {})],
        dict(image=(FLOAT, (1, SIZE, SIZE, 3))),
        dict(map=(FLOAT, (1, SIZE, SIZE, 2))),
        pick=np.eye(3, 2, dtype=np.float32),
    )


def test_an_embedding_is_that_of_the_session(embedding, frames):
    mean, std = (100.0, 110.0, 120.0), (50.0, 60.0, 70.0)
    config = {'kind': 'embedding', 'input_size': SIZE, 'mean': mean, 'std': std, 'batch_size': 3}
    teacher = OnnxTeacher(embedding, output='feature', **config)
    color = scale(frames, (SIZE, SIZE)).mean((2, 3))
    wanted = ((color - torch.tensor(mean)) / torch.tensor(std)) @ torch.from_numpy(WEIGHTS)
    torch.testing.assert_close(teacher(frames), wanted, atol=1e-5, rtol=1e-4)
    alone = torch.cat([teacher(frame[None]) for frame in frames])
    torch.testing.assert_close(teacher(frames), alone, rtol=1e-5, atol=1e-6)
    swapped = OnnxTeacher(embedding, output='color', bgr=True, **config)(frames)
    wanted = (color.flip(1) - torch.tensor(mean)) / torch.tensor(std)
    torch.testing.assert_close(swapped, wanted, atol=1e-5, rtol=1e-4)
    assert teacher.kind == 'embedding'


@pytest.mark.parametrize('shape', [(20, 40), (40, 20), (45, 60)])
@pytest.mark.parametrize('resize', ['stretch', 'letterbox'])
def test_a_map_covers_the_whole_frame(mask, shape, resize):
    """The network's map is the picture: so must be the teacher's, whatever the resize."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    pictures = np.stack([4 * rows, 4 * columns, 0 * rows]).astype(np.uint8)
    frames = torch.from_numpy(pictures)[None]
    config = {'kind': 'map', 'axes': 'NHWC', 'input_size': SIZE, 'map_size': (16, 16)}
    maps = OnnxTeacher(mask, resize=resize, **config)(frames)
    wanted = scale(frames, (16, 16))[:, :2] / 255
    assert maps.shape == (1, 2, 16, 16)
    torch.testing.assert_close(maps, wanted, atol=0.02, rtol=0)


def test_parts_are_added_and_named(mask, frames):
    config = {'kind': 'map', 'axes': 'NHWC', 'input_size': SIZE}
    every = OnnxTeacher(mask, **config)(frames)
    assert every.shape == (5, 2, SIZE, SIZE)
    person = OnnxTeacher(mask, parts={'person': [0, 1]}, layout='person', **config)
    assert person.layout == 'person'
    torch.testing.assert_close(person(frames)[:, 0], every.sum(1).clamp(0, 1))


def test_activations_make_probabilities(mask, frames):
    config = {'kind': 'map', 'axes': 'NHWC', 'input_size': SIZE}
    raw = scale(frames, (SIZE, SIZE))[:, :2] / 255
    sigmoid = OnnxTeacher(mask, activation='sigmoid', **config)
    torch.testing.assert_close(sigmoid(frames), raw.sigmoid(), atol=1e-5, rtol=0)
    softmax = OnnxTeacher(mask, activation='softmax', **config)
    torch.testing.assert_close(softmax(frames), raw.softmax(1), atol=1e-5, rtol=0)
    assert sigmoid.fingerprint() != softmax.fingerprint()


@pytest.mark.parametrize('kind', [2, INT32])  # 2: uint8
def test_a_network_of_integers_gets_rounded_pixels(tmp_path, write_onnx, frames, kind):
    path = write_onnx(
        tmp_path / 'integers.onnx',
        [
            ('Cast', ['image'], 'pixels', dict(to=FLOAT)),
            ('ReduceMean', ['pixels'], 'color', dict(axes=[2, 3], keepdims=0)),
        ],
        dict(image=(kind, ('batch', 3, SIZE, SIZE))),
        dict(color=(FLOAT, ('batch', 3))),
    )
    teacher = OnnxTeacher(path, 'embedding', SIZE, std=(1, 1, 1))
    wanted = scale(frames, (SIZE, SIZE)).round().mean((2, 3))
    torch.testing.assert_close(teacher(frames), wanted, atol=1e-3, rtol=0)
    for normalization in ({}, {'mean': (1, 0, 0), 'std': (1, 1, 1)}):
        with pytest.raises(
            ConfigError, match=r'int.*unscaled pixels 0..255: set mean=\(0, 0, 0\), std=\(1, 1'
        ):
            OnnxTeacher(path, 'embedding', SIZE, **normalization)


def test_maps_that_are_not_probabilities_are_refused_and_rounding_is_clamped(mask, frames):
    config = {'kind': 'map', 'axes': 'NHWC', 'input_size': SIZE}
    plain = torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1).expand(2, 3, SIZE, SIZE)
    rounded = OnnxTeacher(mask, mean=(0.1,) * 3, std=(254.8,) * 3, **config)
    assert set(rounded(plain).unique().tolist()) == {0, 1}
    for mean, std in (((1,) * 3, (255,) * 3), ((0,) * 3, (254,) * 3)):
        logits = OnnxTeacher(mask, mean=mean, std=std, **config)
        with pytest.raises(
            ConfigError, match=r"mask.onnx\): .*, which are not probabilities: set activation='"
        ):
            logits(plain)


def test_mistakes_are_named(embedding, mask, frames):
    with pytest.raises(
        ConfigError, match=r'its input is tensor\(float\) \[1, 32, 32, 3\], the teach'
    ):
        OnnxTeacher(mask, 'map', SIZE)
    with pytest.raises(ConfigError, match=r"has the outputs \['feature', 'color'\]: set output"):
        OnnxTeacher(embedding, 'embedding', SIZE)
    with pytest.raises(ConfigError, match=r"resize='letterbox': set map_size"):
        OnnxTeacher(mask, 'map', SIZE, axes='NHWC', resize='letterbox')
    with pytest.raises(
        ConfigError, match=r'OnnxTeacher\(embedding.onnx\): output .* a map has 4 axe'
    ):
        OnnxTeacher(embedding, 'map', SIZE, output='color')(frames)


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


@pytest.fixture
def centroid(tmp_path, write_onnx):
    """Writes one with MoveNet's interface: all joints are the brightness centroid of the square."""

    def make(score=0.75):
        grid = ((np.arange(SQUARE) + 0.5) / SQUARE).astype(np.float32)
        across, down = dict(axes=[0, 3], keepdims=0), dict(axes=[0, 1], keepdims=1)
        return write_onnx(
            tmp_path / f'centroid{score}.onnx',
            [
                ('Cast', ['input'], 'image', dict(to=FLOAT)),
                ('ReduceSum', ['image'], 'weight', across),
                ('ReduceSum', ['weight'], 'total', down),
                ('Mul', ['weight', 'rows'], 'down', {}),
                ('ReduceSum', ['down'], 'y_sum', down),
                ('Div', ['y_sum', 'total'], 'y', {}),
                ('Mul', ['weight', 'columns'], 'right', {}),
                ('ReduceSum', ['right'], 'x_sum', down),
                ('Div', ['x_sum', 'total'], 'x', {}),
                ('Concat', ['y', 'x', 'score'], 'joint', dict(axis=1)),
                ('Expand', ['joint', 'shape'], 'output', {}),
            ],
            dict(input=(INT32, (1, SQUARE, SQUARE, 3))),
            dict(output=(FLOAT, (1, 1, 17, 3))),
            rows=grid[:, None],
            columns=grid[None],
            score=np.float32([[score]]),
            shape=np.array([1, 1, 17, 3]),
        )

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


def test_fingerprint_follows_size_and_weights(centroid):
    config = {'type': 'OnnxPoseTeacher', 'model': centroid(), 'input_size': SQUARE}
    prints = {
        build_teacher(config).fingerprint(),
        build_teacher({**config, 'num_threads': 2}).fingerprint(),
        build_teacher({**config, 'model': centroid(score=0.5)}).fingerprint(),
    }
    assert len(prints) == 2  # the number of threads is no part of it
