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


def field(number, value):
    """One protobuf field: an integer, or bytes / text with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value):
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])


def node(operator, inputs, output, **attributes):
    message = b''.join(field(1, name) for name in inputs) + field(2, output) + field(4, operator)
    for name, value in attributes.items():
        if isinstance(value, int):
            message += field(5, field(1, name) + field(3, value) + field(20, 2))
        else:
            numbers = b''.join(field(8, number) for number in value)
            message += field(5, field(1, name) + numbers + field(20, 7))
    return field(1, message)


def constant(name, array):
    kind = {np.dtype(np.float32): 1, np.dtype(np.int64): 7}[array.dtype]
    dims = b''.join(field(1, size) for size in array.shape)
    return field(5, dims + field(2, kind) + field(8, name) + field(9, array.tobytes()))


def tensor_info(number, name, kind, shape):
    dims = b''.join(field(1, field(1, size)) for size in shape)
    return field(number, field(1, name) + field(2, field(1, field(1, kind) + field(2, dims))))


def centroid_model(size=SIZE, score=0.75):
    """ONNX bytes with MoveNet's interface: every joint is the brightness centroid of the square.

    Written by hand because the package `onnx` is needed for nothing else.
    """
    grid = ((np.arange(size) + 0.5) / size).astype(np.float32)
    graph = b''.join(
        [
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
            field(2, 'centroid'),
            constant('rows', grid[:, None]),
            constant('columns', grid[None]),
            constant('score', np.float32([[score]])),
            constant('shape', np.array([1, 1, 17, 3])),
            tensor_info(11, 'input', 6, (1, size, size, 3)),
            tensor_info(12, 'output', 1, (1, 1, 17, 3)),
        ]
    )
    return field(1, 6) + field(8, field(1, '') + field(2, 11)) + field(7, graph)


@pytest.fixture
def model(tmp_path):
    pytest.importorskip('onnxruntime')
    path = tmp_path / 'centroid.onnx'
    path.write_bytes(centroid_model())
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


def test_letterbox_keeps_colours_and_borders_black():
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


def test_fingerprint_follows_size_and_weights(model, tmp_path):
    other = tmp_path / 'other.onnx'
    other.write_bytes(centroid_model(score=0.5))
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
