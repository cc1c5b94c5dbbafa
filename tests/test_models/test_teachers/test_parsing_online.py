"""A segmentor, or a teacher of poses, teaches HCPG online, by the config that the docs show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

import mmact_ssl  # noqa: F401  the fixes
from mmact_ssl.registry import MODELS

ROOT = Path(__file__).parents[3]


@pytest.fixture(params=['parts', 'mask'])
def config(request, small_model, tmp_path: Path) -> Config:
    """The docs' config with another teacher, and the student cut down."""
    if request.param == 'parts':
        pose = Config.fromfile(ROOT / 'configs/teachers/demo_pose_teacher.py').teacher.to_dict()
        teacher = dict(type='PosePartsTeacher', pose=pose, min_score=0.0)
    else:
        parts = dict(parts=dict(person=[0, 1]), layout='person')
        files = small_model('mmseg').files
        teacher = dict(type='MMSegTeacher', input_size=32, **parts, **files)
    Config(dict(teacher=teacher)).dump(tmp_path / 'teacher.py')
    page = (ROOT / 'docs/extend/parsers.md').read_text()
    text = re.search(r'# configs/hcpg_r3d_online\.py\n.*?(?=```)', page, re.DOTALL).group()
    assert 'teachers/movenet_parts.py' in text
    text = text.replace('teachers/movenet_parts.py', str(tmp_path / 'teacher.py'))
    text = text.replace("'hcpg_r3d", f"'{ROOT}/configs/hcpg_r3d")
    (tmp_path / 'online.py').write_text(text)
    config = Config.fromfile(tmp_path / 'online.py')
    config.model.heads.parsing.num_parts = 11 if request.param == 'parts' else 1
    config.model.backbone.base_channels = 4
    for adapter in config.model.adapters.values():
        adapter.in_channels = 32
    return config


def make(config: Config) -> torch.nn.Module:
    init_default_scope('mmact_ssl')
    torch.manual_seed(0)
    return MODELS.build(config.copy().model)


def batch() -> tuple[dict, dict]:
    generator = torch.Generator().manual_seed(0)
    views = {
        view: list(torch.randint(256, (4, 3, 8, 64, 64), generator=generator, dtype=torch.uint8))
        for view in ('clip', 'clip_b')
    }
    valid = torch.ones(4, 8, dtype=torch.bool)
    targets = dict(
        clip=dict(valid=valid, speed=torch.tensor([1, 2, 4, 1])),
        clip_b=dict(valid=valid, speed=torch.tensor([2, 1, 1, 4])),
        sample=dict(video=torch.arange(4)),
    )
    return views, targets


def test_it_gives_the_losses_of_its_own_maps_from_a_cache(config: Config):
    online = make(config)
    views, targets = batch()
    listed = {view: {n: list(v) for n, v in named.items()} for view, named in targets.items()}
    data = online.data_preprocessor(
        dict(inputs=views, targets=listed, data_samples=None), training=True
    )
    losses = online(**data, mode='loss')
    losses['loss'].backward()
    assert losses['parsing/valid_fraction'] > 0 and losses['parsing/loss'] > 0
    assert online.backbone.conv1.conv.weight.grad.any()

    frames = torch.stack(views['clip']).transpose(1, 2)  # (B, T, C, H, W)
    teacher = online.teachers['parts']
    maps = teacher(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
    assert maps.shape == (4, 8, config.model.heads.parsing.num_parts, 16, 16)
    config.model.teachers = None
    config.model.data_preprocessor.targets = (
        *config.model.data_preprocessor.targets,
        'clip.parts',
    )
    cached = make(config)
    cached.load_state_dict(online.state_dict())  # in which the teacher has no part
    data['targets']['clip']['parts'] = maps
    expected = cached.train()(**data, mode='loss')
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, rtol=1e-5, atol=1e-5)
