"""Initialization reaches whatever is inside: adapters, heads, their networks, streams."""

from __future__ import annotations

import pytest
import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import init_default_scope
from torch import nn

import mmact_ssl.models  # noqa: F401
from mmact_ssl.engine.runner import end_process_group
from mmact_ssl.errors import CheckpointError
from mmact_ssl.registry import MODELS
from tests.shipped import load

LOST = dict(type='Pretrained', checkpoint='/nowhere/weights.pth')


def build(config: str, **options) -> nn.Module:
    cfg = load(config)
    cfg.merge_from_dict(options)
    init_default_scope('mmact_ssl')
    torch.manual_seed(0)
    return MODELS.build(cfg.model)


@pytest.mark.parametrize(
    ('config', 'part'),
    [
        ('csvr_r3d18-small.py', 'backbone'),
        ('csvr_r3d18-small.py', 'heads.context.frame_encoder'),
        ('ms2l-twoview_gru.py@nwucla', 'backbone.encoder'),
    ],
)
def test_lost_weights_of_any_part_are_an_error(config, part):
    # The config of this part has an init_cfg, None, in whose place the dict comes.
    instead = dict(_delete_=True) if part.endswith('frame_encoder') else {}
    model = build(config, **{f'model.{part}.init_cfg': {**LOST, **instead}})
    with pytest.raises(CheckpointError, match='/nowhere/weights.pth'):
        model.init_weights()


STUDENTS = {
    'csvr_r3d18-small.py': {},
    'dtg_tsm-lite0.py@jhmdb': {'model.backbone.checkpoint': None},
    'ms2l-twoview_gru.py@nwucla': {},
    'mamp_stt.py@nwucla': {},
    'videomae_vit-tiny.py@jhmdb': {},
}


@pytest.mark.parametrize(
    ('config', 'form'),
    [(config, 'whole') for config in STUDENTS]
    + [('ms2l-twoview_gru.py@nwucla', form) for form in ('prefix', 'backbone', 'classifier')]
    + [('csvr_r3d18-small.py', 'no counts')],
)
def test_a_backbone_of_any_kind_starts_from_a_file(tmp_path, config, form):
    """From one of a whole model, whatever its names, or of a backbone alone."""
    path = str(tmp_path / 'start.pth')
    start = dict(type='Pretrained', checkpoint=path)
    if form == 'prefix':
        start['prefix'] = 'encoder'
    model = build(config, **STUDENTS[config], **{'model.backbone.init_cfg': start})
    before = {'whole': 'backbone.', 'prefix': 'encoder.'}.get(form, '')
    expected = {
        key: torch.full_like(value, 3) for key, value in model.backbone.state_dict().items()
    }
    more = {'backbone': {}, 'classifier': {'fc.weight': torch.ones(1)}}
    state = {f'{before}{key}': value for key, value in expected.items()}
    for key in [key for key in expected if key.endswith('batches_tracked') and form == 'no counts']:
        del state[key]
        expected[key] = torch.tensor(0)
    torch.save(dict(state_dict={**state, **more.get(form, {'heads.x': torch.ones(1)})}), path)
    model.init_weights()
    for key, value in model.backbone.state_dict().items():
        assert torch.equal(value, expected[key]), key


@pytest.mark.parametrize(
    ('config', 'part'),
    [(config, '') for config in STUDENTS] + [('ms2l-twoview_gru.py@nwucla', 'encoder.')],
)
def test_a_file_that_does_not_fit_the_backbone_is_an_error(tmp_path, config, part):
    path = str(tmp_path / 'other.pth')
    start = dict(type='Pretrained', checkpoint=path)
    model = build(config, **STUDENTS[config], **{f'model.backbone.{part}init_cfg': [start]})
    state = (model.backbone.encoders[0] if part else model.backbone).state_dict()
    missing = next(iter(state))
    del state[missing]
    torch.save(state, path)
    with pytest.raises(
        CheckpointError, match=rf'other\.pth: 1 weights .*{missing} missing.*init_cfg'
    ):
        model.init_weights()


@pytest.fixture
def process_group():
    """Of this process alone."""
    torch.distributed.init_process_group(
        'gloo', store=torch.distributed.HashStore(), rank=0, world_size=1
    )
    yield
    end_process_group()


@pytest.mark.parametrize('unused', [True, False])
def test_channels_last_change_the_layout_alone_also_of_shared_gradients(process_group, unused):
    """In double precision, for the sums of batch normalization round otherwise.

    The runner wraps first: DistributedDataParallel scrambles gradients of a later layout.
    """
    off = {f'model.heads.{task}': None for task in ('context', 'current', 'future')}
    off['model.balancer'] = dict(_delete_=True, type='FixedWeights')
    view = torch.randn(2, 3, 8, 32, 32, dtype=torch.double)
    found, state = [], None
    for last, wrap in ((False, False), (True, False), (True, True)):
        model = build('csvr_r3d18-small.py', **{**off, 'model.channels_last': last}).double()
        model.heads.requires_grad_(False)
        model.adapters.requires_grad_(False)
        wrapped = MMDistributedDataParallel(model, find_unused_parameters=unused) if wrap else model
        model.init_weights()
        state = state or model.state_dict()
        model.load_state_dict(state)
        maps = wrapped(dict.fromkeys(model.encode_names, view), mode='tensor')
        sum(one.square().mean() for one in maps.values()).backward()
        gradients = [p.grad for p in model.backbone.parameters()]
        found.append([*(one.detach() for one in maps.values()), *gradients])
    first = model.backbone.conv1.conv.weight
    assert first.stride(1) == 1 and not first.is_contiguous()
    for others in found[1:]:
        for one, other in zip(found[0], others):
            torch.testing.assert_close(other, one)
