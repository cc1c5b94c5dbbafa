"""DTG-Net's configs: what is read is loaded, labels only where they are meant to be."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

import mmact_ssl  # noqa: F401  the fixes
from mmact_ssl.registry import MODELS

CONFIGS = Path(__file__).parents[1] / 'configs'
PRETRAINING = sorted(path.name for path in CONFIGS.glob('dtg_*.py'))
JOINT = [name for name in PRETRAINING if 'joint' in name]


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmact_ssl')


def load(name: str) -> Config:
    return Config.fromfile(CONFIGS / name)


def build(config: Config) -> torch.nn.Module:
    with torch.device('meta'):
        return MODELS.build(copy.deepcopy(config.model))


def test_there_are_configs():
    expected = {'dtg_tsn-r18_k400.py', 'dtg_r3d_k400.py', 'dtg_r3d_demo.py', 'dtg_r3d_jhmdb.py'}
    assert expected < set(PRETRAINING)
    assert {'dtg_r3d_joint_ucf101.py', 'dtg_tsn-r18_joint_ucf101.py'} < set(JOINT)


@pytest.mark.parametrize('name', PRETRAINING)
def test_what_the_heads_read_is_loaded(name: str):
    config = load(name)
    model = build(config)
    loaders = [config[key] for key in ('train_dataloader', 'test_dataloader') if key in config]
    for loader in loaders:
        pipeline = loader.dataset.pipeline
        caches = {step.target: step for step in pipeline if step.type == 'LoadTargetCache'}
        teachers = config.model.heads.guidance.teachers.items()
        assert set(caches) == {name for name, settings in teachers if settings}
        for step in caches.values():
            assert step.views == ('clip', 'clip_b')
            assert step.path.startswith(f'{config.data_root}/targets/')
        sampled = pipeline[0]
        assert sampled.type == 'SampleViews' and {'clip', 'clip_b'} <= set(sampled)
        # Each clip is augmented by a draw of its own, unless it is only cut from the middle.
        own = [step.views for step in pipeline if step.type == 'TransformViews']
        if loader is config.train_dataloader:
            assert own == [('clip',), ('clip_b',)]
        assert pipeline[-1].get('label', False) == (name in JOINT)
        assert loader.dataset.ann_file.startswith(config.data_root)
    assert ('label' in model.data_preprocessor.targets) == (name in JOINT)
    assert ('recognition' in model.heads) == (name in JOINT)
    assert ('contrast' in model.heads) == (name not in JOINT)


@pytest.mark.parametrize('name', PRETRAINING)
def test_features_have_the_channels_that_the_heads_say(name: str):
    config = load(name)
    model = build(config)
    sample = config.train_dataloader.dataset.pipeline[0].clip
    steps = config.train_dataloader.dataset.pipeline
    size = next(step for step in steps if step.type == 'TransformViews').transforms[1].scale[0]
    frames = torch.empty(2, 3, sample.num_frames, size, size, device='meta')
    feature_map = model.encode({'clip': frames, 'clip_b': frames})['clip']
    assert feature_map.shape[1] == config.model.heads.guidance.in_channels
    if model.frame_wise:
        assert feature_map.shape[2] == sample.num_frames
    if name in JOINT:
        scores = model.heads['recognition']._scores(feature_map)
        assert scores.shape == (2, config.model.heads.recognition.cls_head.num_classes)


@pytest.mark.parametrize('name', PRETRAINING)
def test_the_student_is_the_downstream_one(name: str):
    student, dataset = (
        name.removesuffix('.py').split('_')[1],
        name.removesuffix('.py').split('_')[-1],
    )
    dataset = 'ucf101' if dataset == 'k400' else dataset
    config = load(name)
    for protocol in ('linear', 'finetune'):
        downstream = load(f'downstream/{protocol}_{student}_{dataset}.py')
        assert downstream.model.backbone == config.model.backbone
        assert downstream.backbone_name == config.backbone_name
        if name in JOINT:
            joint, own = config.model.heads.recognition.cls_head, downstream.model.cls_head
            assert (joint.type, joint.in_channels, joint.num_classes) == (
                own.type,
                own.in_channels,
                own.num_classes,
            )


@pytest.mark.parametrize(
    ('option', 'tasks', 'teachers'),
    [
        ({'model.heads.guidance': None}, {'contrast'}, set()),
        ({'model.heads.contrast': None}, {'guidance'}, {'imagenet', 'pose'}),
        ({'model.heads.guidance.teachers.pose': None}, {'guidance', 'contrast'}, {'imagenet'}),
    ],
)
def test_tasks_and_teachers_are_switched_off_on_the_command_line(option, tasks, teachers):
    config = load('dtg_r3d_jhmdb.py')
    config.merge_from_dict(option)
    model = build(config)
    assert set(model.heads) == tasks
    if teachers:
        assert set(model.heads['guidance'].projectors) == teachers


@pytest.mark.parametrize('kind', ['Fixed', 'Learned', 'Confidence'])
def test_the_weights_are_chosen_on_the_command_line(kind):
    config = load('dtg_r3d_jhmdb.py')
    # The config has fixed weights, which the others would not take.
    key = 'model.heads.guidance.weights'
    config.merge_from_dict({f'{key}._delete_': True, f'{key}.type': f'{kind}TeacherWeights'})
    weights = build(config).heads['guidance'].weights
    assert type(weights).__name__ == f'{kind}TeacherWeights'
    assert weights.teachers == ('imagenet', 'pose')


def test_where_left_and_right_tell_actions_apart_nothing_is_mirrored():
    pipeline = load('dtg_r3d_utdmhad.py').train_dataloader.dataset.pipeline
    flips = [t for step in pipeline if 'transforms' in step for t in step.transforms]
    flips = [flip for flip in flips if flip.type == 'HorizontalFlip']
    assert len(flips) == 2
    assert all(flip.flip_ratio == 0 and flip.layout == 'kinect20' for flip in flips)


def test_on_jhmdb_the_image_classifier_counts_most():
    guidance = load('dtg_r3d_jhmdb.py').model.heads.guidance
    assert set(guidance.weights.weights) == {'imagenet'} < set(guidance.teachers)
    assert guidance.weights.weights.imagenet > 1  # the poses weigh 1
    assert guidance.agreement > guidance.contrast > 0
