"""Every teacher config from a model zoo builds and runs, and names the zoo's own weights."""

import importlib
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmact_ssl.io.weights import hash_in_name
from mmact_ssl.models.teachers import build_teacher, mmlab_config

CONFIGS = Path('configs/teachers')
# config -> (its model's scope, what replaces its settings to be fast here, shape of one target)
ZOO = {
    'resnet50_imagenet': ('mmpretrain', {'input_size': 64}, (2048,)),
    'tsn-r50_k400': ('mmaction', {'input_size': 64}, (2048,)),
    'r2plus1d-r34_k400': ('mmaction', {'input_size': 32}, (512,)),
    'hrnet-w32_coco_backbone': ('mmpose', {'input_size': 64}, (32,)),
    'segformer-b0_ade20k_person': ('mmseg', {'input_size': 64}, (1, 64, 64)),
    'rtmpose-t_coco': ('mmpose', {}, (17, 3)),
    'rtmo-s_coco': ('mmpose', {}, (17, 3)),
}
KINDS = {1: 'embedding', 2: 'pose', 3: 'map'}  # by the axes of a target


def settings_of(name):
    return dict(Config.fromfile(CONFIGS / f'{name}.py').teacher)


@pytest.mark.parametrize('name', ZOO)
def test_it_builds_and_runs(name, tmp_path):
    scope, changes, shape = ZOO[name]
    settings = {**settings_of(name), **changes, 'batch_size': 1}
    loaded = mmlab_config.load_model_config(settings['config'], name)
    model = mmlab_config.without_init(loaded.model)
    network = mmlab_config.build_network(model, scope)
    torch.save({'state_dict': network.state_dict()}, tmp_path / 'random.pth')
    teacher = build_teacher({**settings, 'checkpoint': str(tmp_path / 'random.pth')})
    frames = torch.randint(0, 256, (1, 3, 48, 64), dtype=torch.uint8)
    if teacher.window:
        frames = frames[:, None].repeat(1, teacher.window[0], 1, 1, 1)
    targets = teacher(frames)
    assert tuple(targets.shape[1:]) == shape
    assert targets.isfinite().all()
    assert teacher.kind == KINDS[len(shape)]


@pytest.mark.parametrize('name', ZOO)
def test_the_address_is_that_of_the_installed_model_zoo(name):
    settings = settings_of(name)
    package = settings['config'].partition('::')[0]
    folder = Path(importlib.import_module(package).__file__).parent / '.mim' / 'configs'
    files = [path for ending in ('yml', 'yaml') for path in folder.rglob(f'*.{ending}')]
    assert any(settings['checkpoint'] in path.read_text() for path in files)
    assert hash_in_name(settings['checkpoint'])
