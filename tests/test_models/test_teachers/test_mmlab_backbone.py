import pytest
import torch
from mmengine.config import Config

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers import MMBackboneTeacher
from mmact_ssl.models.teachers.preprocessing import FrameInput

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def test_a_pose_backbone_sees_the_whole_frame_letterboxed(small_model, frames):
    small = small_model('mmpose')
    images = FrameInput((32, 24), MEAN, STD, resize='letterbox')(frames)
    with torch.no_grad():
        wanted = small.network.backbone(images)[-1].mean((2, 3))
    found = MMBackboneTeacher(**small.files)(frames)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def test_of_several_maps_the_last_is_pooled(small_model, frames):
    small = small_model('mmseg')
    images = FrameInput((32, 48), MEAN, STD)(frames)
    with torch.no_grad():
        maps = small.network.backbone(images)
    assert len(maps) == 4
    found = MMBackboneTeacher(**small.files, input_size=(32, 48))(frames)
    torch.testing.assert_close(found, maps[-1].mean((2, 3)), atol=1e-5, rtol=1e-5)


def test_only_the_backbone_is_read_from_the_checkpoint(small_model, frames, tmp_path):
    small = small_model('mmpose')
    state = torch.load(small.files['checkpoint'], weights_only=True)['state_dict']
    state = {name: value for name, value in state.items() if name.startswith('backbone.')}
    torch.save({**state, 'heads.pose.weight': torch.zeros(3)}, tmp_path / 'student.pth')
    found = MMBackboneTeacher(small.files['config'], str(tmp_path / 'student.pth'))(frames)
    assert torch.equal(found, MMBackboneTeacher(**small.files)(frames))


def test_mistakes_are_named(small_model, tmp_path):
    small = small_model('mmseg')
    with pytest.raises(ConfigError, match='does not say the size of the input: set input_size'):
        MMBackboneTeacher(**small.files)
    config = Config.fromfile(small.files['config'])
    config.pop('default_scope')
    config.dump(str(tmp_path / 'scopeless.py'))
    with pytest.raises(ConfigError, match='scopeless.py has no default_scope'):
        MMBackboneTeacher(str(tmp_path / 'scopeless.py'), small.files['checkpoint'], 32)
    config.model.pop('backbone')
    config.dump(str(tmp_path / 'headless.py'))
    with pytest.raises(ConfigError, match=r'headless.py has no model.backbone'):
        MMBackboneTeacher(str(tmp_path / 'headless.py'), small.files['checkpoint'], 32)
