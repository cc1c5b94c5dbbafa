import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS
from torchvision.transforms.v2 import functional as tv

from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.models.teachers import MMPretrainTeacher


def prepared(frames):
    """What mmpretrain's own data preprocessor gives, from BGR images as it reads them."""
    scaled = tv.resize(frames.float(), [40, 53], antialias=True)
    images = tv.center_crop(scaled, [32, 32]).flip(1)
    settings = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        preprocessor = MMPRETRAIN_MODELS.build(dict(type='ClsDataPreprocessor', **settings))
    return preprocessor({'inputs': images})['inputs']


@pytest.mark.parametrize('stage', ['pre_logits', 'neck'])
def test_it_is_extract_feat_after_the_configs_own_pipeline(small_model, frames, stage):
    small = small_model('mmpretrain')
    with torch.no_grad():
        wanted = small.network.extract_feat(prepared(frames), stage=stage)
    wanted = wanted[-1] if stage == 'neck' else wanted
    found = MMPretrainTeacher(**small.files, stage=stage)(frames)
    assert found.shape == (5, 64)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_a_bare_backbone_will_do_for_the_neck(small_model, frames, tmp_path):
    small = small_model('mmpretrain')
    state = {'fc.weight': torch.zeros(1000, 64)}
    state.update(small.network.backbone.state_dict())
    torch.save(state, tmp_path / 'bare.pth')
    files = {**small.files, 'checkpoint': str(tmp_path / 'bare.pth')}
    found = MMPretrainTeacher(**files, stage='neck')(frames)
    assert torch.equal(found, MMPretrainTeacher(**small.files)(frames))
    with pytest.raises(CheckpointError, match=r"bare.pth does not fit.*lacks 'head.fc.weight'"):
        MMPretrainTeacher(**files)


def test_a_given_size_takes_the_whole_frame(small_model, frames):
    teacher = MMPretrainTeacher(**small_model('mmpretrain').files, input_size=(32, 48))
    edge = frames.clone()
    edge[..., :4] = 0  # a center crop would not see it
    assert not torch.equal(teacher(edge), teacher(frames))


def test_mistakes_are_named(small_model, tmp_path):
    small = small_model('mmpretrain')
    with pytest.raises(ConfigError, match="stage='head' of MMPretrainTeacher: use one of"):
        MMPretrainTeacher(**small.files, stage='head')
    config = Config.fromfile(small.files['config'])
    config.test_dataloader.dataset.pipeline = [dict(type='LoadImageFromFile')]
    config.dump(str(tmp_path / 'bare.py'))
    with pytest.raises(ConfigError, match='bare.py does not say the size of the input: set input_'):
        MMPretrainTeacher(str(tmp_path / 'bare.py'), small.files['checkpoint'])
    with pytest.raises(ConfigError, match=r"no config 'mmpretrain::none.py' \(MMPretrainTeacher\)"):
        MMPretrainTeacher('mmpretrain::none.py', small.files['checkpoint'])
