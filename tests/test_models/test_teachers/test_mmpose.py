import shutil

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.structures import InstanceData
from mmpose.registry import MODELS as MMPOSE_MODELS
from torch import nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers.mmlab_config import build_network, without_init
from mmact_ssl.models.teachers.mmpose import MMPosePoseTeacher

RTMO = 'mmpose::body_2d_keypoint/rtmo/coco/rtmo-s_8xb32-600e_coco-640x640.py'
CODEC = {'type': 'MSRAHeatmap', 'input_size': (96, 96), 'heatmap_size': (48, 48), 'sigma': 2}
PIPELINE = [
    {'type': 'LoadImage'},
    {'type': 'GetBBoxCenterScale'},
    {'type': 'TopdownAffine', 'input_size': (96, 96)},
    {'type': 'PackPoseInputs'},
]


@MMPOSE_MODELS.register_module()
class BlurBackbone(nn.Module):
    """Hands the averaged picture to the head, so that every joint is the brightest spot."""

    def forward(self, images):
        return (F.avg_pool2d(F.avg_pool2d(images, 5, 1, 2), 2),)


def model_config(**model):
    return {
        'default_scope': 'mmpose',
        'model': {
            'type': 'TopdownPoseEstimator',
            'data_preprocessor': {
                'type': 'PoseDataPreprocessor',
                'mean': [0] * 3,
                'std': [255] * 3,
            },
            'backbone': {'type': 'BlurBackbone'},
            'head': {
                'type': 'HeatmapHead',
                'in_channels': 3,
                'out_channels': 17,
                'deconv_out_channels': None,
                'loss': {'type': 'KeypointMSELoss'},
                'decoder': CODEC,
            },
            **model,
        },
        'test_dataloader': {'dataset': {'type': 'CocoDataset', 'pipeline': PIPELINE}},
    }


@pytest.fixture
def files(tmp_path):
    """A config whose model marks the brightest spot, and its checkpoint."""
    config = tmp_path / 'blur.py'
    Config(model_config()).dump(str(config))
    state = {
        'head.final_layer.weight': torch.full((17, 3, 1, 1), 1 / 3),
        'head.final_layer.bias': torch.zeros(17),
    }
    torch.save({'state_dict': state}, tmp_path / 'blur.pth')
    return {'config': str(config), 'checkpoint': str(tmp_path / 'blur.pth')}


def spots(height, width, *places):
    """uint8 (1, 3, H, W) with a square of brightness b around each (y, x, b)."""
    frame = torch.zeros(1, 3, height, width, dtype=torch.uint8)
    for y, x, brightness in places:
        frame[..., y - 4 : y + 5, x - 4 : x + 5] = brightness
    return frame


@pytest.mark.parametrize('shape', [(96, 96), (60, 100), (160, 90), (120, 160)])
def test_the_whole_frame_is_the_box_and_its_geometry_is_undone(files, shape):
    height, width = shape
    y, x = height // 3, 2 * width // 3
    pose = MMPosePoseTeacher(**files)(spots(height, width, (y, x, 255)))
    assert pose.shape == (1, 17, 3)
    assert pose.dtype == torch.float32
    # A cell of the heat map covers 1.25 * 160 / 48 = 4 pixels.
    torch.testing.assert_close(pose[0, 0, 0] * width, torch.tensor(x + 0.5), atol=4, rtol=0)
    torch.testing.assert_close(pose[0, 0, 1] * height, torch.tensor(y + 0.5), atol=4, rtol=0)
    assert 0.5 < pose[0, 0, 2] <= 1  # scaling down blurs the spot


def test_channels_are_red_green_blue(files, tmp_path):
    state = torch.load(files['checkpoint'], weights_only=True)
    state['state_dict']['head.final_layer.weight'] = torch.tensor([0.0, 0, 1]).expand(17, 3)[
        ..., None, None
    ]  # the config keeps mmcv's order, blue first
    torch.save(state, files['checkpoint'])
    frame = torch.cat([spots(96, 96, (48, 48, 255))] * 2)
    frame[0, 1:] = 0
    frame[1, :2] = 0
    red, blue = MMPosePoseTeacher(**files)(frame)[:, 0, 2]
    assert red > 0.9
    assert blue == 0


def test_fingerprint_follows_config_and_weights_not_paths(files, tmp_path):
    wanted = MMPosePoseTeacher(**files).fingerprint()
    moved = {'config': str(tmp_path / 'c.py'), 'checkpoint': str(tmp_path / 'c.pth')}
    for name, path in moved.items():
        shutil.copy(files[name], path)
    assert MMPosePoseTeacher(**moved).fingerprint() == wanted
    Config(model_config(test_cfg={'flip_test': True, 'flip_mode': 'heatmap'})).dump(moved['config'])
    assert MMPosePoseTeacher(**moved).fingerprint() != wanted


def test_mistakes_are_named(files):
    with pytest.raises(ConfigError, match=r"finds 17 joints, layout 'ntu25' has 25: set layout"):
        MMPosePoseTeacher(**files, layout='ntu25')


def test_a_whole_frame_scores_as_its_joints_do(files):
    frames = torch.cat([spots(96, 96, (48, 48, brightness)) for brightness in (255, 64)])
    every = MMPosePoseTeacher(**files)(frames)
    bright, dark = every[..., 2].mean(1).tolist()
    assert bright > 0.8 > 0.3 > dark > 0
    kept = MMPosePoseTeacher(**files, min_person_score=0.5)(frames)
    torch.testing.assert_close(kept[0], every[0])
    assert not kept[1].any()


def test_of_several_persons_the_best_is_kept(files):
    teacher = MMPosePoseTeacher(**files, min_person_score=0.5)
    teacher._one_stage = True
    persons = InstanceData(
        keypoints=np.arange(3 * 17 * 2, dtype=np.float32).reshape(3, 17, 2),
        keypoint_scores=np.full((3, 17), 0.6, np.float32),
        bbox_scores=np.array([0.2, 0.9, 0.4]),
    )
    np.testing.assert_array_equal(teacher._best_person(persons)[:, :2], persons.keypoints[1] + 0.5)
    persons.bbox_scores = np.array([0.2, 0.4, 0.3])
    assert not teacher._best_person(persons).any()
    assert not teacher._best_person(persons[:0]).any()


def test_persons_are_counted_by_a_one_stage_model(tmp_path, files):
    config = get_config(RTMO)
    config.test_dataloader.dataset.pipeline[1].input_size = (64, 64)
    config.dump(str(tmp_path / 'rtmo.py'))
    network = build_network(without_init(config.model), 'mmpose')
    torch.save({'state_dict': network.state_dict()}, tmp_path / 'rtmo.pth')
    paths = (str(tmp_path / 'rtmo.py'), str(tmp_path / 'rtmo.pth'))
    teacher = MMPosePoseTeacher(*paths, batch_size=2)
    frames = torch.randint(0, 256, (3, 3, 60, 80), dtype=torch.uint8)
    assert teacher.count_persons(frames, min_score=1.1).tolist() == [0, 0, 0]
    assert not MMPosePoseTeacher(*paths, batch_size=2, min_person_score=1.1)(frames).any()
    scores = iter(([0.9, 0.5, 0.2], [0.1], []))

    class Result:
        @property
        def pred_instances(self):
            return InstanceData(bbox_scores=np.array(next(scores)))

    teacher._find = lambda frames: [Result() for _ in frames]
    assert teacher.count_persons(frames).tolist() == [2, 0, 0]
    with pytest.raises(ConfigError, match='finds one person in a box: take a one-stage model'):
        MMPosePoseTeacher(**files).count_persons(frames)
