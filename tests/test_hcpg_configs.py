"""HCPG's configs: what is read is loaded, shapes fit, ablations are options."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

import mmact_ssl  # noqa: F401  the fixes
from mmact_ssl.datasets.layouts import PART_LAYOUTS
from mmact_ssl.registry import MODELS

CONFIGS = Path(__file__).parents[1] / 'configs'
PRETRAINING = sorted(path.name for path in CONFIGS.glob('hcpg_*.py'))
QUEUED = ('hcpg_r3d_k400.py', 'hcpg_r3d_ucf101.py')
TASKS = {'appearance', 'motion', 'parsing'}
SHARED = {'model.adapters.motion': 'appearance', 'model.adapters.parsing': 'appearance'}
NO_PARSING = {'model.heads.parsing': None, 'model.adapters.parsing': None}
NO_CONTRAST = {
    f'model.{what}.{task}': None
    for what in ('heads', 'adapters')
    for task in ('appearance', 'motion')
} | {'model.encode': ['clip']}


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmact_ssl')


def load(name: str, options: dict | None = None) -> Config:
    config = Config.fromfile(CONFIGS / name)
    config.merge_from_dict(options or {})
    return config


def build(config: Config) -> torch.nn.Module:
    with torch.device('meta'):
        return MODELS.build(copy.deepcopy(config.model))


def test_there_are_configs():
    datasets = ('k400', 'ucf101', 'demo', 'jhmdb')
    assert {f'hcpg_r3d_{dataset}.py' for dataset in datasets} <= set(PRETRAINING)


@pytest.mark.parametrize('name', PRETRAINING)
def test_what_the_heads_read_is_loaded(name: str):
    config = load(name)
    model = build(config)
    assert set(model.heads) == TASKS
    loaders = [config[key] for key in ('train_dataloader', 'test_dataloader') if key in config]
    for loader in loaders:
        pipeline = loader.dataset.pipeline
        sampled, cache = pipeline[:2]
        assert sampled.type == 'SampleViews' and sampled.differ
        for view in ('clip', 'clip_b'):
            assert len(sampled[view].stride) > 1, 'a speed is drawn, and packed'
        assert (cache.type, cache.target, cache.kind) == ('LoadTargetCache', 'parts', 'map')
        assert cache.path.startswith(f'{config.data_root}/targets/')
        head = config.model.heads.parsing
        assert PART_LAYOUTS[cache.layout].num_parts == head.num_parts
        for step in pipeline:
            if step.type == 'TransformViews' and 'clip' in step.views:
                assert step.map_size == head.map_size
        if loader is config.train_dataloader:
            own = [step.views for step in pipeline if step.type == 'TransformViews']
            assert own == [('clip',), ('clip_b',)]
        assert pipeline[-1].video and not pipeline[-1].get('label', False)
        assert loader.dataset.ann_file.startswith(config.data_root)
    assert 'label' not in model.data_preprocessor.targets
    assert any(hook.type == 'MomentumCopyHook' for hook in config.custom_hooks)


@pytest.mark.parametrize('name', PRETRAINING)
def test_features_and_maps_have_the_shapes_that_the_heads_say(name: str):
    config = load(name)
    model = build(config)
    clip = config.train_dataloader.dataset.pipeline[0].clip
    steps = config.train_dataloader.dataset.pipeline
    size = next(step for step in steps if step.type == 'TransformViews').transforms[1].scale[0]
    frames = torch.empty(2, 3, clip.num_frames, size, size, device='meta')
    feature_map = model.backbone(frames)
    head = model.heads['parsing']
    assert feature_map.shape[2] * config.model.heads.parsing.frames_per_step == clip.num_frames
    adapted = model.adapters['parsing'](feature_map)
    maps = head.decoder(adapted, (clip.num_frames, *head.map_size))
    assert maps.shape == (2, clip.num_frames, head.num_parts, *head.map_size)
    for task in ('appearance', 'motion'):
        projected = model.heads[task]._project(model.adapters[task](feature_map))
        assert projected.shape == (2, config.model.heads[task].embedding_dim)


@pytest.mark.parametrize('name', PRETRAINING)
def test_the_student_is_the_downstream_one(name: str):
    dataset = name.removesuffix('.py').split('_')[-1].replace('k400', 'hmdb51')
    config = load(name)
    for protocol in ('linear', 'finetune'):
        downstream = load(f'downstream/{protocol}_r3d_{dataset}.py')
        assert downstream.model.backbone == config.model.backbone
        assert downstream.backbone_name == config.backbone_name


ADAPTED = {
    'demo': 'hcpg_r3d_demo.py',
    'jhmdb': 'hcpg_r3d_jhmdb.py',
    'ucf101': 'hcpg_r3d_ucf101.py',
    'hmdb51': 'hcpg_r3d_k400.py',
}


def test_all_adapted_students_are_known():
    found = CONFIGS.glob('downstream/linear_r3d-adapted_*.py')
    assert {path.stem.split('_')[-1] for path in found} == set(ADAPTED)


@pytest.mark.parametrize('dataset', ADAPTED)
def test_the_adapted_student_is_the_pretrained_one_under_the_plain_protocols(dataset: str):
    adapted = load(f'downstream/linear_r3d-adapted_{dataset}.py')
    plain = load(f'downstream/linear_r3d_{dataset}.py')
    pretrained = load(ADAPTED[dataset])
    backbone = adapted.model.backbone
    assert backbone.backbone == pretrained.model.backbone == plain.model.backbone
    assert backbone.outputs == ('feature_map', *pretrained.model.adapters)
    for name, adapter in pretrained.model.adapters.items():
        assert backbone.adapters[name] == {**adapter, 'type': f'mmact_ssl.{adapter.type}'}
    with torch.device('meta'):
        features = MODELS.build(copy.deepcopy(backbone))(torch.empty(1, 3, 16, 64, 64))
    assert features.shape[1] == adapted.model.cls_head.in_channels
    assert adapted.backbone_name == f'{plain.backbone_name}-adapted'
    # All but the student is as in the plain protocols.
    for config in (adapted, plain):
        config.model.pop('backbone')
        config.model.cls_head.pop('in_channels')
        for key in ('adapter', 'backbone_name'):
            config.pop(key, None)
    assert adapted.to_dict() == plain.to_dict()


@pytest.mark.parametrize('name', QUEUED)
def test_large_sets_are_contrasted_with_a_queue(name: str):
    model = build(load(name))
    assert model.encode_names == ('clip',) and model.momentum_views == ('clip_b',)
    for task in ('appearance', 'motion'):
        assert model.heads[task].reads['key'] == f'clip_b.momentum_{task}'
        assert len(model.heads[task].queue.features) >= 4096
    assert len(model.momentum_pairs()) == 3
    exported = {key for key in model.state_dict() if key.startswith('backbone.')}
    assert len(exported) == len(model.backbone.state_dict())


@pytest.mark.parametrize('name', PRETRAINING)
@pytest.mark.parametrize(
    ('options', 'tasks', 'adapters'),
    [
        ({}, TASKS, TASKS),
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
        source.split('.')[-1] for head in model.tasks.values() for source in head.reads.values()
    }
    read = {name.removeprefix('momentum_') for name in read}
    assert {model.adapter_of[name] for name in model.adapter_of if name in read} == adapters


def test_the_queue_can_be_switched_off_and_on():
    off = {
        'model.encode': ['clip', 'clip_b'],
        'model.momentum_encoder': None,
        'model.heads.appearance.queue_size': 0,
        'model.heads.motion.queue_size': 0,
    }
    assert build(load('hcpg_r3d_k400.py', off)).momentum_pairs() == []
    on = {
        'model.encode': ['clip'],
        'model.momentum_encoder': {'views': ['clip_b'], 'momentum': 0.99},
        'model.heads.appearance.queue_size': 512,
        'model.heads.motion.queue_size': 512,
    }
    assert len(build(load('hcpg_r3d_jhmdb.py', on)).momentum_pairs()) == 3


@pytest.mark.parametrize('options', [{}, SHARED], ids=['own', 'shared'])
def test_every_parameter_of_the_small_student_is_trained(options):
    config = load('hcpg_r3d_demo.py', options)
    config.model.backbone.base_channels = 4
    for adapter in config.model.adapters.values():
        if not isinstance(adapter, str):
            adapter.in_channels = 32
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    inputs = {view: torch.randn(4, 3, 8, 64, 64) for view in ('clip', 'clip_b')}
    targets = {f'{view}_valid': torch.ones(4, 8, dtype=torch.bool) for view in inputs}
    targets |= dict(
        video=torch.arange(4),
        clip_speed=torch.tensor([1, 2, 4, 1]),
        clip_b_speed=torch.tensor([2, 1, 1, 4]),
        clip_parts=torch.rand(4, 8, 10, 16, 16).softmax(2),
    )
    losses = model(inputs, targets, mode='loss')
    losses['loss'].backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
    assert {name for name in losses if name.endswith('/loss')} == {f'{t}/loss' for t in TASKS}
    assert losses['motion/counted'] > 0 and losses['parsing/counted'] == 1
