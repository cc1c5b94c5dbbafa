"""MS2L's configs build what is published, and each task and strategy is one change away."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.registry import DATASETS, MODELS
from tests.shipped import CONFIGS, SKELETONS, TOP_LEVEL, load, steps

MIXES = ('c2vl', 'barlow', 'stt')
MS2L = [n for n in TOP_LEVEL if n.startswith('ms2l') and not any(m in n for m in MIXES)]
SEVERAL_SETS = [name for name in MS2L if '_skeletons' in name]
TWO_VIEWS = [name for name in MS2L if 'twoview' in name or 'cameras' in name]
GRAPHS = [name for name in MS2L if 'gcn' in name]
PUBLISHED = sorted({*MS2L} - {*TWO_VIEWS, *GRAPHS})
TASKS = {'motion', 'jigsaw', 'contrast'}


def gru_parameters(inputs: int, hidden: int, layers: int, directions: int) -> int:
    """Three gates, each with input and recurrent weights and two biases."""
    total = 0
    for _ in range(layers):
        total += directions * 3 * (inputs * hidden + hidden * hidden + 2 * hidden)
        inputs = directions * hidden
    return total


@pytest.mark.parametrize('name', PUBLISHED)
def test_every_config_has_the_published_sizes(name: str):
    config = load(name)
    model = MODELS.build(config.model)
    layout = LAYOUTS[config.bodies.layout]
    coordinates = layout.num_joints * config.bodies.num_persons * 3
    parameters = sum(value.numel() for value in model.backbone.parameters())
    assert parameters == gru_parameters(coordinates, 300, 2, 2)
    assert set(model.heads) >= TASKS
    decoder = sum(value.numel() for value in model.heads['motion'].decoder.parameters())
    assert decoder == gru_parameters(600, 600, 2, 1)
    assert model.heads['contrast'].loss_module.temperature == 0.9
    small = config.dataset_name in ('nwucla', 'utdmhad-skeleton')
    assert config.train_dataloader.batch_size == (32 if small else 256)
    budget = 3000 if small else 9000
    budget = 2000 if 'classification' in model.heads else budget
    assert config.train_cfg == dict(type='StepsTrainLoop', max_iters=budget)
    assert [step.milestones for step in config.param_scheduler] == [[budget // 2]]
    assert config.model.heads.motion.loss == dict(type='MotionLoss', padded_frames=300)
    assert config.optim_wrapper.optimizer == dict(type='Adam', lr=1e-3)


@pytest.mark.parametrize('off', [None, *sorted(TASKS)])
def test_each_task_can_be_switched_off(off, train):
    """The tasks that the config names train, and are tested on unseen clips."""
    changes = {} if off is None else {f'model.heads.{off}': None}
    metrics = train('ms2l_gru_nwucla.py', **changes).test()
    assert {name.split('/')[0] for name in metrics} == TASKS - {off}
    assert all(np.isfinite(value) for value in metrics.values())


def test_the_joint_strategy_trains_the_classifier_and_the_tasks(train):
    metrics = train('ms2l-joint_gru_nwucla.py').test()
    assert {key.split('/')[0] for key in metrics} == {*TASKS, 'classification'}


def test_the_moving_strategy_ends_with_classification_alone():
    balancer = MODELS.build(load('ms2l-moving_gru_nwucla.py').model.balancer)
    losses = {task: torch.tensor(1.0) for task in (*TASKS, 'classification')}
    assert balancer.weighted_sum(losses, 0.0) == len(TASKS)
    assert balancer.weighted_sum(losses, 1.0) == 1
    assert balancer.weight('classification', 1.0) == 1
    assert balancer.weight('contrast', 0.5) == 0.5


@pytest.mark.parametrize('name', [name for name in SKELETONS if 'gru' in name])
def test_downstream_reads_what_pretraining_read(name: str):
    """Same streams at the same scale, and the same number of frames."""
    after = load(name)
    two_views = 'gru-streams' in name
    before = load(f'ms2l{"-twoview" if two_views else ""}_gru_nwucla.py')
    if 'common' in name:
        before = load('ms2l-twoview_gru_skeletons.py')
    read, known = (
        list(steps(loader.dataset, 'BonesAndMotion'))[:1]
        for loader in (after.test_dataloader, before.train_dataloader)
    )
    assert [{**part, 'type': ''} for part in read] == [{**part, 'type': ''} for part in known]
    crops = list(steps(before.train_dataloader, 'TemporalCrop'))[:1]
    frames = [part.num_frames for part in steps(after.test_dataloader, 'ResampleFrames')]
    assert frames == [crop.num_frames for crop in crops]
    flips = len(list(steps(after.train_dataloader, 'SkeletonFlip')))
    assert flips == (two_views and 'utdmhad' not in name), (
        'left and right are different actions there'
    )


@pytest.mark.parametrize('name', [name for name in TWO_VIEWS if name not in SEVERAL_SETS])
def test_the_two_views_train_on_what_was_cut_and_turned(name, on_made_set, train):
    config = on_made_set(name)
    flips = len(list(steps(config.train_dataloader, 'SkeletonFlip')))
    assert flips == (0 if 'utdmhad' in name else 2)  # left and right differ there
    views = DATASETS.build(config.train_dataloader.dataset)[0]['inputs']
    assert views['one'].shape == views['two'].shape == (1, 32, 20, 9)
    assert not torch.allclose(views['one'], views['two'])
    metrics = train(name).test()
    assert {key.split('/')[0] for key in metrics} - {'classification'} == {'contrast'}
    assert all(np.isfinite(value) for value in metrics.values())


@pytest.mark.parametrize('name', SEVERAL_SETS)
def test_a_config_of_several_sets_reads_the_training_clips_of_all(name):
    expected = ('nwucla', 'utdmhad-skeleton', 'msraction3d', 'utkinect', 'bandai-namco')
    sets = [Config.fromfile(CONFIGS / f'_base_/sets/{one}.py') for one in expected]
    datasets = load(name).train_dataloader.dataset.datasets
    assert {part.ann_file for part in datasets} == {one.train_set.ann_file for one in sets}
    known = [one.train_set.to_dict().items() for one in sets]
    assert all(any(items <= part.to_dict().items() for items in known) for part in datasets)
