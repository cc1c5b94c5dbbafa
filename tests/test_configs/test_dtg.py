"""DTG-Net's configs: teachers, weights, and labels only where they are meant to be."""

from __future__ import annotations

import pytest

from tests.shipped import TOP_LEVEL, build, load, loaders, steps

PRETRAINING = [name for name in TOP_LEVEL if name.startswith('dtg')]
JOINT = [name for name in PRETRAINING if 'joint' in name]


@pytest.mark.parametrize('name', PRETRAINING)
def test_each_teacher_has_a_cache_and_each_clip_its_own_augmentation(name: str):
    config = load(name)
    teachers = config.model.heads.guidance.teachers.items()
    for loader in loaders(config):
        caches = {part.target: part for part in steps(loader.dataset.pipeline, 'LoadTargets')}
        assert set(caches) == {name for name, settings in teachers if settings}
        assert {tuple(part['views']) for part in caches.values()} == {('clip', 'clip_b')}
    own = [part['views'] for part in steps(loaders(config)[0], 'TransformViews')]
    assert own == [('clip',), ('clip_b',)]
    tasks = {task for task, head in config.model.heads.items() if head}
    beside = 'frames' if 'tsm-lite0' in name else 'contrast'
    assert tasks == {'guidance', beside, *(['recognition'] if name in JOINT else [])}


@pytest.mark.parametrize(
    ('option', 'tasks', 'teachers'),
    [
        ('model.heads.guidance=None', {'contrast'}, set()),
        ('model.heads.contrast=None', {'guidance'}, {'imagenet', 'pose'}),
        ('model.heads.guidance.teachers.pose=None', {'guidance', 'contrast'}, {'imagenet'}),
    ],
)
def test_tasks_and_teachers_are_switched_off_on_the_command_line(option, tasks, teachers):
    model = build(load('dtg_r3d18-small.py@jhmdb', [option]))
    assert set(model.heads) == tasks
    if teachers:
        assert set(model.heads['guidance'].projectors) == teachers


def test_where_left_and_right_tell_actions_apart_nothing_is_mirrored():
    flips = list(steps(load('dtg_r3d18-small.py@utdmhad').train_dataloader, 'HorizontalFlip'))
    assert [(flip.flip_ratio, flip.layout) for flip in flips] == [(0.0, 'kinect20')] * 2


def test_on_jhmdb_the_image_classifier_counts_most():
    guidance = load('dtg_r3d18-small.py@jhmdb').model.heads.guidance
    assert set(guidance.weights.weights) == {'imagenet'} < set(guidance.teachers)
    assert guidance.weights.weights.imagenet > 1  # the poses weigh 1
    assert guidance.agreement > guidance.contrast > 0
