"""Backbones of OpenMMLab: the feature of the network itself, after the config's own input."""

from functools import partial

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS
from torchvision.transforms.v2 import functional as tv

from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.models.teachers.mmlab import MMLabTeacher, pool
from mmact_ssl.models.teachers.mmlab_config import build_network, without_init
from mmact_ssl.models.teachers.preprocessing import FrameInput

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
SIZE = (32, 48)
SizedTeacher = partial(MMLabTeacher, input_size=SIZE)


def stretched(frames):
    """[..., 3, 45, 60] resized to SIZE, RGB 0..255."""
    return tv.resize(frames.float(), list(SIZE), antialias=True)


def normalized(frames):
    mean, std = torch.tensor([MEAN, STD])
    return (stretched(frames) - mean[:, None, None]) / std[:, None, None]


def changed(small, path, **backbone):
    """A config of the small model with another backbone, and the path of its checkpoint to be."""
    config = Config.fromfile(small.files['config'])
    config.model.backbone = backbone
    config.dump(str(path))
    return config, {'config': str(path), 'checkpoint': str(path.with_suffix('.pth'))}


def test_an_image_classifier_is_read_before_its_head(small_model, frames):
    """The input is that of mmpretrain's own preprocessor, from BGR images as it reads them."""
    small = small_model('mmpretrain')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        preprocessor = MMPRETRAIN_MODELS.build(
            dict(type='ClsDataPreprocessor', mean=MEAN, std=STD, to_rgb=True)
        )
    images = preprocessor({'inputs': stretched(frames).flip(1)})['inputs']
    with torch.no_grad():
        wanted = small.network.extract_feat(images, stage='pre_logits')
    found = SizedTeacher(**small.files)(frames)
    assert found.shape == (5, 64)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ('family', 'depths', 'options', 'frame_input'),
    [
        ('mmpose', 1, {}, FrameInput((32, 24), MEAN, STD, letterbox=True)),
        ('mmseg', 4, {'input_size': SIZE}, FrameInput(SIZE, MEAN, STD)),
        ('mmaction_2d', 1, {'input_size': SIZE}, FrameInput(SIZE, MEAN, STD)),
    ],
)
def test_the_last_depth_is_pooled(small_model, frames, family, depths, options, frame_input):
    small = small_model(family)
    with torch.no_grad():
        maps = small.network.backbone(frame_input(frames))
    assert len(maps) == depths
    teacher = MMLabTeacher(**small.files, **options)
    assert teacher.window is None
    torch.testing.assert_close(teacher(frames), maps[-1].mean((2, 3)), atol=1e-5, rtol=1e-5)


def test_a_3d_recognizer_reads_clips_of_its_config(small_model, clips, tmp_path):
    small = small_model('mmaction_3d')
    teacher = SizedTeacher(**small.files)
    assert teacher.window == (4, 2)
    inputs = normalized(clips).transpose(1, 2)[:, None]
    with torch.no_grad():
        maps, _ = small.network.extract_feat(inputs, stage='backbone')
    torch.testing.assert_close(teacher(clips), maps.mean((2, 3, 4)), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(teacher(clips), teacher(clips.flip(1)), atol=1e-3)  # order matters
    config = Config.fromfile(small.files['config'])
    for step, wanted in ((dict(type='SampleFrames', clip_len=8), (8, 1)), (dict(type='X'), None)):
        config.test_dataloader.dataset.pipeline = [step]
        config.dump(str(tmp_path / 'x.py'))
        files = {**small.files, 'config': str(tmp_path / 'x.py')}
        if wanted is None:
            with pytest.raises(ConfigError, match='x.py has no SampleFrames: add it'):
                SizedTeacher(**files)
        else:
            other = SizedTeacher(**files)
            assert other.window == wanted and other.fingerprint() != teacher.fingerprint()


def test_two_pathways_are_put_side_by_side():
    maps = (torch.arange(16.0).reshape(2, 2, 1, 2, 2), torch.ones(2, 3, 4, 1, 1))
    wanted = torch.tensor([[1.5, 5.5, 1, 1, 1], [9.5, 13.5, 1, 1, 1]])
    torch.testing.assert_close(pool(maps), wanted)
    with pytest.raises(ConfigError, match=r'gives tokens \[2, 5, 8\]'):
        pool(torch.zeros(2, 5, 8))


def test_a_backbone_that_shifts_between_frames_is_refused(small_model, tmp_path):
    tsm = dict(type='ResNetTSM', depth=18, pretrained=None, num_segments=4, shift_div=8)
    _, files = changed(small_model('mmaction_2d'), tmp_path / 'tsm.py', **tsm)
    with pytest.raises(ConfigError, match='tsm.py shifts features between the frames of a clip'):
        SizedTeacher(**files)


def test_any_checkpoint_with_the_backbone_will_do(small_model, frames, tmp_path):
    small = small_model('mmpretrain')
    wanted = SizedTeacher(**small.files)(frames)
    backbone = small.network.backbone.state_dict()
    student = {f'backbone.{name}': value for name, value in backbone.items()}
    for state in (
        {**student, 'heads.pose.weight': torch.zeros(3)},
        {**backbone, 'fc.weight': torch.zeros(1000, 64)},  # as torchvision publishes
    ):
        torch.save(state, tmp_path / 'other.pth')
        found = SizedTeacher(small.files['config'], str(tmp_path / 'other.pth'))(frames)
        torch.testing.assert_close(found, wanted)
    student.pop('backbone.conv1.weight')
    torch.save(student, tmp_path / 'other.pth')
    with pytest.raises(CheckpointError, match='other.pth: .* do not fit .*conv1.weight missing'):
        SizedTeacher(small.files['config'], str(tmp_path / 'other.pth'))


def test_no_pretrained_weights_of_a_config_are_downloaded(small_model, tmp_path):
    """timm and torchvision would fetch them while the network is built."""
    pytest.importorskip('timm')
    backbone = dict(type='timm.test_resnet', pretrained=True)
    config, files = changed(small_model('mmaction_2d'), tmp_path / 'timm.py', **backbone)
    network = build_network(without_init(config.model), 'mmaction')
    torch.save(network.state_dict(), files['checkpoint'])
    frame = torch.zeros(1, 3, 40, 40, dtype=torch.uint8)
    assert SizedTeacher(**files)(frame).shape == (1, 96)
