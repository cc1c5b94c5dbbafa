"""Backbones of OpenMMLab: the feature of the network itself, after the config's own input."""

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


def cropped(frames):
    """[..., 3, 45, 60] resized to a short side of 40, the center of 32, RGB 0..255."""
    return tv.center_crop(tv.resize(frames.float(), [40, 53], antialias=True), [32, 32])


def normalized(frames):
    mean, std = torch.tensor([MEAN, STD])
    return (cropped(frames) - mean[:, None, None]) / std[:, None, None]


def test_an_image_classifier_is_read_before_its_head(small_model, frames):
    """The input is that of mmpretrain's own preprocessor, from BGR images as it reads them."""
    small = small_model('mmpretrain')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        preprocessor = MMPRETRAIN_MODELS.build(
            dict(type='ClsDataPreprocessor', mean=MEAN, std=STD, to_rgb=True)
        )
    images = preprocessor({'inputs': cropped(frames).flip(1)})['inputs']
    with torch.no_grad():
        wanted = small.network.extract_feat(images, stage='pre_logits')
    found = MMLabTeacher(**small.files)(frames)
    assert found.shape == (5, 64)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_a_pose_backbone_sees_the_whole_frame_letterboxed(small_model, frames):
    small = small_model('mmpose')
    images = FrameInput((32, 24), MEAN, STD, resize='letterbox')(frames)
    with torch.no_grad():
        wanted = small.network.backbone(images)[-1].mean((2, 3))
    found = MMLabTeacher(**small.files)(frames)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def test_of_several_depths_the_last_is_pooled(small_model, frames):
    small = small_model('mmseg')
    images = FrameInput((32, 48), MEAN, STD)(frames)
    with torch.no_grad():
        maps = small.network.backbone(images)
    assert len(maps) == 4
    found = MMLabTeacher(**small.files, input_size=(32, 48))(frames)
    torch.testing.assert_close(found, maps[-1].mean((2, 3)), atol=1e-5, rtol=1e-5)


def test_a_2d_recognizer_reads_frames_and_averages_over_a_window(small_model, frames, clips):
    small = small_model('mmaction_2d')
    teacher = MMLabTeacher(**small.files)
    assert teacher.window is None
    with torch.no_grad():
        maps, _ = small.network.extract_feat(normalized(frames)[:, None], stage='backbone')
    torch.testing.assert_close(teacher(frames), maps.mean((2, 3)), atol=1e-4, rtol=1e-4)
    for family in ('mmaction_2d', 'mmpretrain'):
        files = small_model(family).files
        of_clips, alone = MMLabTeacher(**files, window=(4, 3)), MMLabTeacher(**files)
        assert of_clips.window == (4, 3)
        wanted = torch.stack([alone(clip).mean(0) for clip in clips])
        torch.testing.assert_close(of_clips(clips), wanted, atol=1e-5, rtol=1e-5)


def test_a_3d_recognizer_reads_clips_of_its_config(small_model, clips):
    small = small_model('mmaction_3d')
    teacher = MMLabTeacher(**small.files)
    assert teacher.window == (4, 2)
    inputs = normalized(clips).transpose(1, 2)[:, None]
    with torch.no_grad():
        maps, _ = small.network.extract_feat(inputs, stage='backbone')
    torch.testing.assert_close(teacher(clips), maps.mean((2, 3, 4)), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(teacher(clips), teacher(clips.flip(1)), atol=1e-3)  # order matters
    other = MMLabTeacher(**small.files, window=(8, 1))
    assert other.window == (8, 1)
    assert other.fingerprint() != teacher.fingerprint()


def test_two_pathways_are_put_side_by_side():
    maps = (torch.arange(16.0).reshape(2, 2, 1, 2, 2), torch.ones(2, 3, 4, 1, 1))
    wanted = torch.tensor([[1.5, 5.5, 1, 1, 1], [9.5, 13.5, 1, 1, 1]])
    torch.testing.assert_close(pool(maps), wanted)
    with pytest.raises(ConfigError, match=r'gives tokens \[2, 5, 8\]'):
        pool(torch.zeros(2, 5, 8))


def test_a_backbone_that_shifts_between_frames_needs_its_window(small_model, tmp_path):
    config = Config.fromfile(small_model('mmaction_2d').files['config'])
    config.model.backbone = dict(
        type='ResNetTSM', depth=18, pretrained=None, num_segments=4, shift_div=8
    )
    config.dump(str(tmp_path / 'tsm.py'))
    files = {'config': str(tmp_path / 'tsm.py'), 'checkpoint': str(tmp_path / 'tsm.pth')}
    for window in (None, (8, 1)):
        with pytest.raises(ConfigError, match=r'tsm.py mixes 4 frames: set window=\(4, stride\)'):
            MMLabTeacher(**files, window=window)
    network = build_network(config.to_dict()['model'], 'mmaction')
    torch.save({'state_dict': network.state_dict()}, tmp_path / 'tsm.pth')
    clips = torch.randint(0, 256, (2, 4, 3, 40, 40), dtype=torch.uint8)
    teacher = MMLabTeacher(**files, window=(4, 2), batch_size=2)
    embedding = teacher(clips)
    assert embedding.shape == (2, 512)
    clips[1] = 0  # neighbors in the batch are no neighbors in time
    torch.testing.assert_close(teacher(clips)[0], embedding[0])


def test_any_checkpoint_with_the_backbone_will_do(small_model, frames, tmp_path):
    small = small_model('mmpretrain')
    wanted = MMLabTeacher(**small.files)(frames)
    backbone = small.network.backbone.state_dict()
    student = {f'backbone.{name}': value for name, value in backbone.items()}
    for state in (
        {**student, 'heads.pose.weight': torch.zeros(3)},
        {**backbone, 'fc.weight': torch.zeros(1000, 64)},  # as torchvision publishes
    ):
        torch.save(state, tmp_path / 'other.pth')
        found = MMLabTeacher(small.files['config'], str(tmp_path / 'other.pth'))(frames)
        torch.testing.assert_close(found, wanted)
    student.pop('backbone.conv1.weight')
    torch.save(student, tmp_path / 'other.pth')
    with pytest.raises(CheckpointError, match='other.pth: .* do not fit .*conv1.weight missing'):
        MMLabTeacher(small.files['config'], str(tmp_path / 'other.pth'))


def test_no_pretrained_weights_of_a_config_are_downloaded(small_model, tmp_path):
    """timm and torchvision would fetch them while the network is built."""
    pytest.importorskip('timm')
    config = Config.fromfile(small_model('mmaction_2d').files['config'])
    config.model.backbone = dict(type='timm.test_resnet', pretrained=True)
    config.dump(str(tmp_path / 'timm.py'))
    network = build_network(without_init(config.model), 'mmaction')
    torch.save(network.state_dict(), tmp_path / 'timm.pth')
    teacher = MMLabTeacher(str(tmp_path / 'timm.py'), str(tmp_path / 'timm.pth'))
    assert teacher(torch.zeros(1, 3, 40, 40, dtype=torch.uint8)).shape == (1, 96)


def test_mistakes_are_named(small_model, tmp_path):
    files = {'config': str(tmp_path / 'x.py'), 'checkpoint': 'none.pth'}
    with pytest.raises(ConfigError, match='does not set one size of the input for all frames'):
        MMLabTeacher(**small_model('mmseg').files)
    config = Config.fromfile(small_model('mmaction_3d').files['config'])
    config.test_dataloader.dataset.pipeline.pop(0)
    config.dump(files['config'])
    with pytest.raises(ConfigError, match='has no SampleFrames: set window='):
        MMLabTeacher(**files)
