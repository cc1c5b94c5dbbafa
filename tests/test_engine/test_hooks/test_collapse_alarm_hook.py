"""CollapseAlarmHook."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.logging import MessageHub

from mmact_ssl.engine.hooks.collapse_alarm_hook import CollapseAlarmHook

HEALTHY = {
    'clip.pooled/feature_std': 0.8,
    'clip.pooled/effective_rank': 9.0,
    'prompts/accuracy': 0.3,
    'prompts/chance': 0.1,
    'share/prompts': 0.5,
    'byol/error': 0.4,
    'byol/error_constant': 0.5,
    'byol/projection/feature_std': 0.8,
    'context/accuracy': 0.0,  # nothing to compare with
}


@pytest.fixture
def run():
    def run(epochs, is_seen_often=True):
        messages = []
        hub = MessageHub('test_collapse_alarm')
        runner = SimpleNamespace(message_hub=hub, logger=SimpleNamespace(warning=messages.append))
        hook = CollapseAlarmHook()
        for changed in epochs:
            for name, value in {**HEALTHY, **changed}.items():
                measured = (value,) if np.isscalar(value) else value
                for one in measured * (20 // len(measured) if is_seen_often else 1):
                    hub.update_scalar(f'train/{name}', one)
            hook.after_train_epoch(runner)
        return messages

    return run


def test_a_healthy_run_and_values_that_count_for_nothing_are_silent(run):
    assert run([{}] * 10) == run([{'prompts/accuracy': float('nan')}] * 5) == []
    assert run([{'byol/error': 0.9}] * 5) == [], 'it is not learned yet'
    assert run([{'byol/projection/feature_std': 0.2}] * 5) == [], 'it predicts what differs'


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        ({'clip.pooled/feature_std': 0.01}, 'clip.pooled has collapsed: its feature_std is 0.01'),
        ({'clip.pooled/effective_rank': 1.0}, 'clip.pooled has collapsed: its effective_rank is 1'),
        ({'prompts/accuracy': 0.1}, "the task 'prompts' is no better than chance (0.1)"),
        ({'share/prompts': 1e-5}, "the task 'prompts' does not teach the student"),
        ({'byol/projection/feature_std': 0.01}, 'byol/projection has collapsed: its feature_std'),
        ({'byol/error': 0.5, 'byol/projection/feature_std': 0.2}, "the task 'byol' has collapsed"),
    ],
)
def test_each_alarm_comes_once_after_some_epochs(run, changed, message):
    assert run([changed] * 2) == []
    (found,) = run([changed] * 5)
    assert found.startswith(message) and '\n' not in found
    assert run([changed, changed, {}, changed, changed]) == []


def test_features_that_collapse_at_once_are_told_also_in_a_short_run(run):
    """They are measured every ten steps: values of early epochs must not hide the others."""
    early, later = ({'clip.pooled/feature_std': v} for v in ((0.6, 0.5, 0.0, 0.0), (0.0, 0.0)))
    (found,) = run([early, later, later, later], is_seen_often=False)
    assert found.startswith('clip.pooled has collapsed: its feature_std is 0')


def test_a_last_measure_that_is_not_a_number_hides_nothing(run):
    (found,) = run([{'share/prompts': (0.0, float('nan'))}] * 3, is_seen_often=False)
    assert found.startswith("the task 'prompts' does not teach the student")


@pytest.mark.parametrize(('hit_rate', 'is_told'), [(1 / 6, True), (0.3, False)])
@pytest.mark.parametrize('seed', range(10))
def test_guesses_are_told_though_half_of_them_are_above_chance(run, hit_rate, is_told, seed):
    """Ten epochs of 20 steps of 16 clips, each clip a guess among six."""
    draws = np.random.default_rng(seed).binomial(16, hit_rate, size=(10, 20)) / 16
    guesses = [{'prompts/accuracy': tuple(one), 'prompts/chance': 1 / 6} for one in draws]
    assert bool(run(guesses)) is is_told
