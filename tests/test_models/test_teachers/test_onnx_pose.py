import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers import build_teacher
from mmact_ssl.models.teachers.onnx_pose import (
    OnnxPoseTeacher,
    letterbox,
    undo_letterbox,
)
from mmact_ssl.models.teachers.preprocessing import letterbox_geometry

SIZE = 64


def centroid_model(onnx, size=SIZE, score=0.75):
    """ONNX bytes with MoveNet's interface: every joint is the brightness centroid of the square."""
    node, constant, tensor_info = onnx.node, onnx.constant, onnx.tensor_info
    grid = ((np.arange(size) + 0.5) / size).astype(np.float32)
    return onnx.model(
        node('Cast', ['input'], 'image', to=1),
        node('ReduceSum', ['image'], 'weight', axes=[0, 3], keepdims=0),
        node('ReduceSum', ['weight'], 'total', axes=[0, 1], keepdims=1),
        node('Mul', ['weight', 'rows'], 'down'),
        node('ReduceSum', ['down'], 'y_sum', axes=[0, 1], keepdims=1),
        node('Div', ['y_sum', 'total'], 'y'),
        node('Mul', ['weight', 'columns'], 'right'),
        node('ReduceSum', ['right'], 'x_sum', axes=[0, 1], keepdims=1),
        node('Div', ['x_sum', 'total'], 'x'),
        node('Concat', ['y', 'x', 'score'], 'joint', axis=1),
        node('Expand', ['joint', 'shape'], 'output'),
        constant('rows', grid[:, None]),
        constant('columns', grid[None]),
        constant('score', np.float32([[score]])),
        constant('shape', np.array([1, 1, 17, 3])),
        tensor_info(11, 'input', 6, (1, size, size, 3)),
        tensor_info(12, 'output', 1, (1, 1, 17, 3)),
    )


@pytest.fixture
def model(tmp_path, onnx):
    pytest.importorskip('onnxruntime')
    path = tmp_path / 'centroid.onnx'
    path.write_bytes(centroid_model(onnx))
    return str(path)


def spot(height, width, y, x, radius=3):
    """uint8 [3, H, W], black with a white square around pixel (y, x)."""
    frame = np.zeros((3, height, width), np.uint8)
    frame[:, y - radius : y + radius + 1, x - radius : x + radius + 1] = 255
    return torch.from_numpy(frame)


@pytest.mark.parametrize('shape', [(64, 64), (48, 64), (128, 64), (90, 161), (33, 40), (256, 192)])
def test_the_letterbox_is_undone(model, shape):
    height, width = shape
    y, x = height // 3, 3 * width // 4
    (pose,) = OnnxPoseTeacher(model, SIZE)(spot(height, width, y, x)[None])
    wanted = [(x + 0.5) / width, (y + 0.5) / height, 0.75]
    # Half a pixel of the square: the scaled size is rounded to whole pixels.
    torch.testing.assert_close(pose, torch.tensor(wanted).expand(17, 3), atol=0.5 / SIZE, rtol=0)


@given(st.integers(1, 4000), st.integers(1, 4000), st.integers(16, 512))
@settings(max_examples=200, deadline=None)
def test_letterbox_geometry(height, width, size):
    new_height, new_width, top, left = letterbox_geometry(height, width, (size, size))
    assert max(new_height, new_width) == size
    assert abs(new_height / new_width * width - height) <= max(height, width) / min(
        new_height, new_width
    )
    assert 0 <= size - new_height - 2 * top <= 1
    assert 0 <= size - new_width - 2 * left <= 1
    corners = np.array(
        [[left / size, top / size, 1], [(left + new_width) / size, (top + new_height) / size, 0.5]]
    )
    undone = undo_letterbox(corners, height, width, size)
    np.testing.assert_allclose(undone, [[0, 0, 1], [1, 1, 0.5]], atol=1e-6)


def test_letterbox_keeps_colors_and_borders_black():
    image = np.full((30, 60, 3), (10, 200, 90), np.uint8)
    square = letterbox(image, 64)
    np.testing.assert_array_equal(square[16:48], np.broadcast_to(image[0, 0], (32, 64, 3)))
    assert not square[:16].any()
    assert not square[48:].any()


def test_joints_on_the_border_are_outside_the_frame():
    pose = undo_letterbox(np.array([[0.5, 0.0, 1.0]]), 30, 60, 64)
    np.testing.assert_allclose(pose, [[0.5, -0.5, 1]])


def test_batching_changes_no_bit(model):
    teacher = OnnxPoseTeacher(model, SIZE)
    frames = torch.randint(0, 256, (5, 3, 40, 60), dtype=torch.uint8)
    alone = torch.cat([teacher(frame[None]) for frame in frames])
    assert torch.equal(teacher(frames), alone)
    assert teacher(frames[:0]).shape == (0, 17, 3)


def test_fingerprint_follows_size_and_weights(model, tmp_path, onnx):
    other = tmp_path / 'clip_b.onnx'
    other.write_bytes(centroid_model(onnx, score=0.5))
    config = {'type': 'OnnxPoseTeacher', 'model': model, 'input_size': SIZE}
    prints = {
        build_teacher(config).fingerprint(),
        build_teacher({**config, 'num_threads': 2}).fingerprint(),
        build_teacher({**config, 'model': str(other)}).fingerprint(),
    }
    assert len(prints) == 2  # the number of threads is no part of it


def test_a_wrong_input_size_is_named(model):
    with pytest.raises(ValueError, match=r'centroid.onnx: input is \[1, 64, 64, 3\].*input_size'):
        OnnxPoseTeacher(model, 192)


def test_without_onnxruntime_the_command_is_named(model, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(ConfigError, match='OnnxPoseTeacher needs onnxruntime: pip install onnxru'):
        OnnxPoseTeacher(model, SIZE)


@pytest.mark.parametrize('name', ['lightning', 'thunder'])
def test_the_shipped_configs_build(name):
    pytest.importorskip('onnxruntime')
    if not Path(f'data/teachers/movenet_{name}.onnx').is_file():
        pytest.skip(f'data/teachers/movenet_{name}.onnx is not there, see docs/teachers.md')
    teacher = build_teacher(f'configs/teachers/movenet_{name}.py')
    pose = teacher(torch.zeros(1, 3, 120, 160, dtype=torch.uint8))
    assert pose.shape == (1, 17, 3)
    assert (pose[..., 2] < 0.3).all()  # nobody on a black frame
