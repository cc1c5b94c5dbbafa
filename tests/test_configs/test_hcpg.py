"""HCPG's configs: shapes fit, ablations are options."""

from __future__ import annotations

import pytest

from tests.shipped import TOP_LEVEL, build, load, loaders, step, steps

PRETRAINING = [name for name in TOP_LEVEL if name.startswith('hcpg_')]
TASKS = {'appearance', 'motion', 'parsing'}


@pytest.mark.parametrize('name', PRETRAINING)
def test_speeds_are_drawn_and_part_maps_loaded(name: str):
    config = load(name)
    assert set(build(config).heads) == TASKS
    for loader in loaders(config):
        sampled, cache = (step(loader, kind) for kind in ('SampleViews', 'LoadTargets'))
        assert sampled.differ
        # Were all test clips of one speed, every other clip's features would answer like the own.
        assert not sampled.get('test_mode')
        assert all(len(sampled[view].stride) > 1 for view in ('clip', 'clip_b'))
        assert (cache.target, cache.kind) == ('parts', 'map')
    own = [part['views'] for part in steps(config.train_dataloader, 'TransformViews')]
    assert own == [('clip',), ('clip_b',)]


@pytest.mark.parametrize('name', ['hcpg_r3d_k400.py', 'hcpg_r3d.py@ucf101'])
def test_large_sets_are_contrasted_with_a_queue(name: str):
    model = build(load(name))
    assert model.encode_names == ('clip',) and model.momentum_views == ('clip_b',)
    for task in ('appearance', 'motion'):
        assert model.heads[task].inputs['key'] == f'clip_b.momentum_{task}'
        assert len(model.heads[task].queue.features) >= 4096
    assert len(model.momentum_pairs()) == 3
    exported = {key for key in model.state_dict() if key.startswith('backbone.')}
    assert len(exported) == len(model.backbone.state_dict())
