"""DTG-Net's configs: teachers, weights, and labels only where they are meant to be."""

from __future__ import annotations

import pytest

from tests.shipped import build, load, steps


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
