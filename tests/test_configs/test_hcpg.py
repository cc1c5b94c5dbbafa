"""HCPG's configs: shapes fit, ablations are options."""

from __future__ import annotations

import pytest

from tests.shipped import TOP_LEVEL, build, load, loaders, step, steps

PRETRAINING = [name for name in TOP_LEVEL if name.startswith('hcpg_')]
TASKS = {'appearance', 'motion', 'parsing'}
SHARED = ['model.adapters.motion=appearance', 'model.adapters.parsing=appearance']
NO_PARSING = ['model.heads.parsing=None', 'model.adapters.parsing=None']
NO_CONTRAST = [
    *(
        f'model.{what}.{task}=None'
        for what in ('heads', 'adapters')
        for task in TASKS - {'parsing'}
    ),
    'model.encode=[clip]',
]


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


@pytest.mark.parametrize('name', ['hcpg_r3d_k400.py', 'hcpg_r3d_ucf101.py'])
def test_large_sets_are_contrasted_with_a_queue(name: str):
    model = build(load(name))
    assert model.encode_names == ('clip',) and model.momentum_views == ('clip_b',)
    for task in ('appearance', 'motion'):
        assert model.heads[task].inputs['key'] == f'clip_b.momentum_{task}'
        assert len(model.heads[task].queue.features) >= 4096
    assert len(model.momentum_pairs()) == 3
    exported = {key for key in model.state_dict() if key.startswith('backbone.')}
    assert len(exported) == len(model.backbone.state_dict())


@pytest.mark.parametrize('name', PRETRAINING)
@pytest.mark.parametrize(
    ('options', 'tasks', 'adapters'),
    [
        ([], TASKS, TASKS),
        (SHARED, TASKS, {'appearance'}),
        (NO_PARSING, TASKS - {'parsing'}, TASKS - {'parsing'}),
        (NO_CONTRAST, {'parsing'}, {'parsing'}),
    ],
    ids=['both', 'shared', 'contrast', 'parsing'],
)
def test_ablations_are_options(name, options, tasks, adapters):
    model = build(load(name, options))
    assert set(model.heads) == tasks and set(model.adapters) == adapters
    # Nothing is left that no loss reaches, which distributed training would refuse.
    read = {
        source.split('.')[-1] for head in model.heads.values() for source in head.inputs.values()
    }
    read = {name.removeprefix('momentum_') for name in read}
    assert {model.adapter_of[name] for name in model.adapter_of if name in read} == adapters


def test_the_queue_can_be_switched_off_and_on():
    off = ['model.encode=[clip,clip_b]', 'model.momentum_encoder=None']
    on = ['model.encode=[clip]', 'model.momentum_encoder.views=[clip_b]']
    for name, options, size, pairs in (
        ('hcpg_r3d_k400.py', off, 0, 0),
        ('hcpg_r3d_jhmdb.py', on, 512, 3),
    ):
        sizes = [f'model.heads.{task}.queue_size={size}' for task in ('appearance', 'motion')]
        assert len(build(load(name, [*options, *sizes])).momentum_pairs()) == pairs
