"""Every pre-training config builds what it says, in shapes and numbers of parameters."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from unittest import mock

import pytest
import torch
from mmengine.config import Config, DictAction
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope

import mmact_ssl  # noqa: F401  the fixes
from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.engine.optimizers import AdversarialOptimWrapper
from mmact_ssl.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS

CONFIGS = Path(__file__).parents[1] / 'configs'
PRETRAINING = sorted(path.name for path in CONFIGS.glob('csvr_*.py'))
STUDENTS = dict(r3d18='csvr_r3d_k400.py', r3d18_small='csvr_r3d_demo.py')


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmact_ssl')


def load(name: str) -> Config:
    return Config.fromfile(CONFIGS / name)


def build(config: Config) -> torch.nn.Module:
    """The model without memory: shapes and names are all there."""
    # mmpretrain's ResNet reads numbers out of a tensor while it is built.
    linspace = partial(torch.linspace, device='cpu')
    with torch.device('meta'), mock.patch('torch.linspace', linspace):
        return MODELS.build(copy.deepcopy(config.model))


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def r3d18_parameters(width: int) -> int:
    """Convolutions without bias, each with a batch normalization of two numbers a channel."""

    def convolution(inward: int, outward: int, kernel: int) -> int:
        return inward * outward * kernel + 2 * outward

    total, channels = convolution(3, width, 3 * 7 * 7), width
    for stage in range(4):
        outward = width * 2**stage
        for block in range(2):
            total += convolution(channels, outward, 27) + convolution(outward, outward, 27)
            if block == 0 and channels != outward:
                total += convolution(channels, outward, 1)
            channels = outward
    return total


def test_there_are_configs():
    assert set(STUDENTS.values()) < set(PRETRAINING)


@pytest.mark.parametrize('name', PRETRAINING)
def test_every_config_builds_a_consistent_model(name: str):
    config = load(name)
    assert config.default_scope == 'mmact_ssl'
    model = build(config)
    assert set(model.heads) == {'pose', 'context', 'video'}
    wrapper = OPTIM_WRAPPER_CONSTRUCTORS.build(
        dict(type=config.optim_wrapper.pop('constructor'), optim_wrapper_cfg=config.optim_wrapper)
    )(model)
    assert isinstance(wrapper, AdversarialOptimWrapper)

    preprocessor = model.data_preprocessor
    loaders = [config[key] for key in ('train_dataloader', 'test_dataloader') if key in config]
    for loader in loaders:
        steps = {}
        for step in loader.dataset.pipeline:
            steps.setdefault(step.type, []).append(step)
        assert set(steps['PackPretextInputs'][0].views) == set(preprocessor.views)
        sampled = steps['SampleViews'][0]
        assert set(preprocessor.views) <= set(sampled)
        (cache,) = steps['LoadTargetCache']
        assert name.split('_')[2].split('.')[0].replace('k400', 'kinetics400') in cache.path
        assert LAYOUTS[cache.layout].num_joints == config.model.heads.pose.num_joints
        for transforms in steps['TransformViews']:
            for transform in transforms.transforms:
                if transform.type == 'HorizontalFlip':
                    assert transform.layout == cache.layout


@pytest.mark.parametrize(('student', 'width'), [('r3d18', 64), ('r3d18_small', 16)])
def test_the_student_has_the_parameters_of_its_formula(student: str, width: int):
    backbone = build(load(STUDENTS[student])).backbone
    assert count(backbone) == r3d18_parameters(width)


def test_r3d18_is_torchvisions():
    """Number for number: torchvision's weights in our student give torchvision's features."""
    from torchvision.models.video import r3d_18

    torch.manual_seed(0)
    twin = r3d_18(weights=None).eval()
    backbone = build(load('csvr_r3d_k400.py')).backbone
    backbone.eval()  # mmaction2's returns nothing
    assert count(backbone) == count(twin) - count(twin.fc) == 33_166_272
    theirs = [value for name, value in twin.state_dict().items() if not name.startswith('fc.')]
    ours = backbone.state_dict()
    assert [value.shape for value in ours.values()] == [value.shape for value in theirs]
    backbone.load_state_dict(dict(zip(ours, theirs)), assign=True)
    frames = torch.randn(1, 3, 8, 32, 32)
    with torch.no_grad():
        features = twin.layer4(twin.layer3(twin.layer2(twin.layer1(twin.stem(frames)))))
        torch.testing.assert_close(backbone(frames), features)


@pytest.mark.parametrize(
    ('student', 'frames', 'feature_map'),
    [
        ('r3d18', (2, 3, 16, 112, 112), (2, 512, 2, 7, 7)),
        ('r3d18_small', (2, 3, 8, 64, 64), (2, 128, 1, 4, 4)),
    ],
)
def test_shapes_of_the_feature_map_and_the_adapters(
    student: str, frames: tuple, feature_map: tuple
):
    model = build(load(STUDENTS[student]))
    features = model.backbone(torch.empty(frames, device='meta'))
    assert tuple(features.shape) == feature_map
    for adapter in model.adapters.values():
        assert adapter(features).shape[2:] == feature_map[2:]


@pytest.mark.parametrize('off', ['pose', 'context', 'video'])
@pytest.mark.parametrize('name', STUDENTS.values())
def test_each_branch_can_be_switched_off(name: str, off: str):
    config = load(name)
    config.merge_from_dict({f'model.heads.{off}': None})
    model = build(config)
    assert set(model.heads) == {'pose', 'context', 'video'} - {off}
    assert not any(f'heads.{off}' in key for key in model.state_dict())


def test_a_branch_is_switched_off_on_the_command_line():
    import argparse

    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    options = ['model.heads.pose=None', 'model.heads.video=None']
    arguments = parser.parse_args(['--cfg-options', *options])
    config = load('csvr_r3d_demo.py')
    config.merge_from_dict(arguments.cfg_options)
    model = build(config)
    assert set(model.heads) == {'context'}
    wrapper = OPTIM_WRAPPER_CONSTRUCTORS.build(
        dict(type=config.optim_wrapper.pop('constructor'), optim_wrapper_cfg=config.optim_wrapper)
    )(model)
    assert type(wrapper) is OptimWrapper, 'no discriminator, no second optimizer'


@pytest.mark.parametrize('student', STUDENTS)
def test_stock_mmaction2_has_the_same_backbone(student: str):
    """Keys and shapes, so that a pre-trained checkpoint loads with nothing missing or left over."""
    config = load(f'_base_/models/downstream_{student}.py')
    config.model.cls_head.num_classes = 7
    recognizer = build(config)
    assert type(recognizer).__module__.startswith('mmaction.')
    pretrainer = build(load(STUDENTS[student]))
    stock, ours = (
        {k: v.shape for k, v in model.state_dict().items() if k.startswith('backbone.')}
        for model in (recognizer, pretrainer)
    )
    assert stock == ours
    assert len(ours) > 100


def test_every_parameter_of_the_demo_config_is_trained():
    """In one step, as distributed training asks; the shapes of views and heads fit together."""
    config = load('csvr_r3d_demo.py')
    config.merge_from_dict(
        {
            'model.backbone.base_channels': 4,
            'model.adapters.dynamic.in_channels': 32,
            'model.adapters.static.in_channels': 32,
            'model.heads.context.frame_encoder.base_channels': 4,
            'model.heads.context.frame_encoder.stem_channels': 4,
            'model.heads.context.frame_channels': 32,
        }
    )
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    # At the start, "repeat the last pose" and "the last frame", what is behind has no gradient.
    pose, video = model.heads['pose'].generator, model.heads['video'].generators['future']
    for layer in (pose.displacement, *(render.change for render in video.render.values())):
        torch.nn.init.normal_(layer.weight, std=0.1)
    times = dict(clip=8, future=8, keyframes=3)
    inputs = {view: torch.randn(2, 3, time, 64, 64) for view, time in times.items()}
    targets = {f'{view}_valid': torch.ones(2, t, dtype=torch.bool) for view, t in times.items()}
    for view in ('clip', 'future'):
        targets[f'{view}_pose'] = torch.rand(2, times[view], 17, 3)
    losses = model(inputs, targets, mode='loss')
    losses['loss'].backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    idle = [name for name, p in model.named_parameters() if not p.grad.any()]
    # What real and fake do to a discriminator's last bias cancels inside the hinge's margins.
    assert all('discriminator' in name and name.endswith('score.bias') for name in idle), idle
    assert sum(name.endswith('discriminator') for name in losses) == 3


@pytest.mark.parametrize(
    'path', sorted(CONFIGS.glob('*.py')) + sorted(CONFIGS.glob('downstream/*.py'))
)
def test_workers_that_train_live_on(path):
    """mmengine seeds new workers alike, which would draw the same augmentations in each epoch."""
    loader = Config.fromfile(path).get('train_dataloader', {})
    assert loader.get('num_workers', 0) == 0 or loader.get('persistent_workers', False)
