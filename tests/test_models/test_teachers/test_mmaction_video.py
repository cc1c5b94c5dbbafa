import pytest
import torch
from mmengine.config import Config
from torchvision.transforms.v2 import functional as tv

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers import MMActionTeacher, mmlab


def prepared(clips):
    """[N, T, 3, 45, 60] resized to a short side of 40, the center of 32, normalized, RGB."""
    images = tv.center_crop(tv.resize(clips.float(), [40, 53], antialias=True), [32, 32])
    mean, std = torch.tensor([[123.675, 116.28, 103.53], [58.395, 57.12, 57.375]])
    return (images - mean[:, None, None]) / std[:, None, None]


def test_a_2d_recognizer_reads_frames(small_model, frames):
    small = small_model('mmaction_2d')
    teacher = MMActionTeacher(**small.files)
    assert teacher.window is None
    with torch.no_grad():
        maps, _ = small.network.extract_feat(prepared(frames)[:, None], stage='backbone')
    torch.testing.assert_close(teacher(frames), maps.mean((2, 3)), atol=1e-4, rtol=1e-4)


def test_a_2d_recognizer_with_a_window_averages_over_frames(small_model, frames, clips):
    files = small_model('mmaction_2d').files
    teacher = MMActionTeacher(**files, window=(4, 3))
    assert teacher.window == (4, 3)
    alone = MMActionTeacher(**files)
    wanted = torch.stack([alone(clip).mean(0) for clip in clips])
    torch.testing.assert_close(teacher(clips), wanted, atol=1e-5, rtol=1e-5)


def test_a_3d_recognizer_reads_clips_of_its_config(small_model, clips):
    small = small_model('mmaction_3d')
    teacher = MMActionTeacher(**small.files)
    assert teacher.window == (4, 2)
    with torch.no_grad():
        maps, _ = small.network.extract_feat(
            prepared(clips).transpose(1, 2)[:, None], stage='backbone'
        )
    torch.testing.assert_close(teacher(clips), maps.mean((2, 3, 4)), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(teacher(clips), teacher(clips.flip(1)), atol=1e-3)  # order matters
    other = MMActionTeacher(**small.files, window=(8, 1))
    assert other.window == (8, 1)
    assert other.fingerprint() != teacher.fingerprint()


def test_two_pathways_are_put_side_by_side():
    maps = (torch.arange(16.0).reshape(2, 2, 1, 2, 2), torch.ones(2, 3, 4, 1, 1))
    wanted = torch.tensor([[1.5, 5.5, 1, 1, 1], [9.5, 13.5, 1, 1, 1]])
    torch.testing.assert_close(mmlab.pool(maps), wanted)
    with pytest.raises(ConfigError, match=r'gives tokens \[2, 5, 8\]'):
        mmlab.pool(torch.zeros(2, 5, 8))


def test_a_backbone_that_shifts_between_frames_needs_its_window(small_model, tmp_path):
    config = Config.fromfile(small_model('mmaction_2d').files['config'])
    config.model.backbone = dict(
        type='ResNetTSM', depth=18, pretrained=None, num_segments=4, shift_div=8
    )
    config.dump(str(tmp_path / 'tsm.py'))
    files = {'config': str(tmp_path / 'tsm.py'), 'checkpoint': str(tmp_path / 'tsm.pth')}
    for window in (None, (8, 1)):
        with pytest.raises(ConfigError, match=r'tsm.py mixes 4 frames: set window=\(4, stride\)'):
            MMActionTeacher(**files, window=window)
    network = mmlab.build_network(config.to_dict()['model'], 'mmaction')
    torch.save({'state_dict': network.state_dict()}, tmp_path / 'tsm.pth')
    clips = torch.randint(0, 256, (2, 4, 3, 40, 40), dtype=torch.uint8)
    teacher = MMActionTeacher(**files, window=(4, 2), batch_size=2)
    embedding = teacher(clips)
    assert embedding.shape == (2, 512)
    clips[1] = 0  # neighbors in the batch are no neighbors in time
    assert torch.equal(teacher(clips)[0], embedding[0])


def test_no_pretrained_weights_of_a_config_are_downloaded(small_model, tmp_path):
    """timm and torchvision would fetch them while the network is built."""
    pytest.importorskip('timm')
    config = Config.fromfile(small_model('mmaction_2d').files['config'])
    config.model.backbone = dict(type='timm.test_resnet', pretrained=True)
    config.dump(str(tmp_path / 'timm.py'))
    network = mmlab.build_network(mmlab.without_init(config.model), 'mmaction')
    torch.save(network.state_dict(), tmp_path / 'timm.pth')
    teacher = MMActionTeacher(str(tmp_path / 'timm.py'), str(tmp_path / 'timm.pth'))
    assert teacher(torch.zeros(1, 3, 40, 40, dtype=torch.uint8)).shape == (1, 96)


def test_other_recognizers_are_refused(small_model, tmp_path):
    config = Config.fromfile(small_model('mmaction_3d').files['config'])
    config.test_dataloader.dataset.pipeline.pop(0)
    config.dump(str(tmp_path / 'unsampled.py'))
    with pytest.raises(ConfigError, match='has no SampleFrames: set window='):
        MMActionTeacher(str(tmp_path / 'unsampled.py'), 'none.pth')
    config.model = dict(
        type='RecognizerGCN',
        backbone=dict(type='STGCN', graph_cfg=dict(layout='coco', mode='stgcn_spatial')),
    )
    config.dump(str(tmp_path / 'gcn.py'))
    with pytest.raises(ConfigError, match='gcn.py is a RecognizerGCN, not a 2D or 3D recognizer'):
        MMActionTeacher(str(tmp_path / 'gcn.py'), 'none.pth')
