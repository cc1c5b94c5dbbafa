import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.models.teachers import OnnxTeacher, build_teacher
from mmact_ssl.models.teachers.preprocessing import scale
from mmact_ssl.preparation.files import data_root

pytest.importorskip('onnxruntime')
SIZE = 32
WEIGHTS = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)


@pytest.fixture
def embedding(tmp_path, onnx):
    """NCHW, any batch: the mean color through a matrix, and the mean color itself."""
    path = tmp_path / 'embedding.onnx'
    path.write_bytes(
        onnx.model(
            onnx.node('ReduceMean', ['image'], 'color', axes=[2, 3], keepdims=0),
            onnx.node('MatMul', ['color', 'weights'], 'feature'),
            onnx.constant('weights', WEIGHTS),
            onnx.tensor_info(11, 'image', 1, ('batch', 3, SIZE, SIZE)),
            onnx.tensor_info(12, 'feature', 1, ('batch', 5)),
            onnx.tensor_info(12, 'color', 1, ('batch', 3)),
        )
    )
    return str(path)


@pytest.fixture
def mask(tmp_path, onnx):
    """NHWC, one image: red and green as they are, a network whose map is the picture."""
    path = tmp_path / 'mask.onnx'
    path.write_bytes(
        onnx.model(
            onnx.node('MatMul', ['image', 'pick'], 'map'),
            onnx.constant('pick', np.eye(3, 2, dtype=np.float32)),
            onnx.tensor_info(11, 'image', 1, (1, SIZE, SIZE, 3)),
            onnx.tensor_info(12, 'map', 1, (1, SIZE, SIZE, 2)),
        )
    )
    return str(path)


def test_an_embedding_is_that_of_the_session(embedding, frames):
    mean, std = (100.0, 110.0, 120.0), (50.0, 60.0, 70.0)
    config = {'kind': 'embedding', 'input_size': SIZE, 'mean': mean, 'std': std, 'batch_size': 3}
    teacher = OnnxTeacher(embedding, output='feature', **config)
    color = scale(frames, (SIZE, SIZE)).mean((2, 3))
    wanted = ((color - torch.tensor(mean)) / torch.tensor(std)) @ torch.from_numpy(WEIGHTS)
    torch.testing.assert_close(teacher(frames), wanted, atol=1e-5, rtol=1e-4)
    assert torch.equal(teacher(frames), torch.cat([teacher(frame[None]) for frame in frames]))
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
    with pytest.raises(ConfigError, match=r"has the classes 0 to 1, parts\['person'\] is \[2\]"):
        OnnxTeacher(mask, parts={'person': [2]}, **config)


def test_activations_make_probabilities(mask, frames):
    config = {'kind': 'map', 'axes': 'NHWC', 'input_size': SIZE}
    raw = scale(frames, (SIZE, SIZE))[:, :2] / 255
    sigmoid = OnnxTeacher(mask, activation='sigmoid', **config)
    torch.testing.assert_close(sigmoid(frames), raw.sigmoid(), atol=1e-5, rtol=0)
    softmax = OnnxTeacher(mask, activation='softmax', **config)
    torch.testing.assert_close(softmax(frames), raw.softmax(1), atol=1e-5, rtol=0)
    assert sigmoid.fingerprint() != softmax.fingerprint()


def test_mistakes_are_named(embedding, mask, tmp_path, frames):
    with pytest.raises(DataError, match=r"no file 'none.onnx' \(model of OnnxTeacher\)"):
        OnnxTeacher('none.onnx', 'map', SIZE)
    with pytest.raises(ConfigError, match=r"axes='HWC' of OnnxTeacher: use one of"):
        OnnxTeacher(mask, 'map', SIZE, axes='HWC')
    with pytest.raises(
        ConfigError, match=r'its input is tensor\(float\) \[1, 32, 32, 3\], the teach'
    ):
        OnnxTeacher(mask, 'map', SIZE)
    with pytest.raises(ConfigError, match=r'the teacher gives \[4, 32, 32, 3\]'):
        OnnxTeacher(mask, 'map', SIZE, axes='NHWC', batch_size=4)
    with pytest.raises(ConfigError, match=r"has the outputs \['feature', 'color'\]: set output"):
        OnnxTeacher(embedding, 'embedding', SIZE)
    with pytest.raises(ConfigError, match=r"resize='letterbox': set map_size"):
        OnnxTeacher(mask, 'map', SIZE, axes='NHWC', resize='letterbox')
    with pytest.raises(
        ConfigError, match=r'OnnxTeacher\(embedding.onnx\): output .* a map has 4 axe'
    ):
        OnnxTeacher(embedding, 'map', SIZE, output='color')(frames)
    with pytest.raises(ConfigError, match='onnxruntime has no NoSuchProvider'):
        OnnxTeacher(mask, 'map', SIZE, axes='NHWC', providers=['NoSuchProvider'])
    (tmp_path / 'text.onnx').write_text('no network')
    with pytest.raises(ConfigError, match='text.onnx: onnxruntime cannot run it'):
        OnnxTeacher(str(tmp_path / 'text.onnx'), 'map', SIZE)


def test_the_real_person_mask_is_that_of_the_session(frames):
    """MediaPipe's network, where its file is there, on frames that need no resize."""
    import onnxruntime

    path = data_root() / 'selfie_seg' / 'selfie_segmentation_256.onnx'
    if not path.is_file():
        pytest.skip(f'no {path}: set MMACT_SSL_DATA')
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
    assert torch.equal(maps[3:], teacher(frames[3:]))
