"""When the targets soften."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from torch import nn

from mmact_ssl.engine.hooks import SoftTargetHook
from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads import PromptMatchingHead


def make_runner() -> SimpleNamespace:
    model = nn.Module()
    head = PromptMatchingHead(3, 4, hidden_dim=2, embedding_dim=2)
    model.heads = nn.ModuleDict(dict(prompts=head, clip_b=nn.Linear(1, 1)))
    return SimpleNamespace(model=model, iter=0, max_iters=8)


def steps(runner: SimpleNamespace, hook: SoftTargetHook) -> list[float]:
    """Alpha of each step."""
    alphas = []
    for step in range(runner.max_iters):
        runner.iter = step
        hook.before_train_iter(runner, step)
        alphas.append(runner.model.heads['prompts'].alpha)
    return alphas


def test_alpha_rises_by_half_a_cosine_from_zero():
    alphas = steps(make_runner(), SoftTargetHook(alpha_max=0.4))
    expected = [0.4 * math.sin(math.pi * i / 16) ** 2 for i in range(8)]
    assert alphas == pytest.approx(expected)
    assert alphas[0] == 0
    assert SoftTargetHook(alpha_max=0.4).alpha(1.0) == pytest.approx(0.4)
    constant = steps(make_runner(), SoftTargetHook(alpha_max=0.4, schedule='constant'))
    assert constant == [0.4] * 8


@pytest.mark.parametrize('task', ['clip_b', 'none'])
def test_another_head_is_refused_before_the_first_step(task):
    with pytest.raises(ConfigError, match=f'model.heads.{task} is no PromptMatchingHead'):
        SoftTargetHook(task=task).before_train(make_runner())


@pytest.mark.parametrize('wrong', [dict(alpha_max=1.5), dict(alpha_max=-1), dict(schedule='step')])
def test_impossible_schedules_are_refused(wrong):
    with pytest.raises(ConfigError, match='SoftTargetHook: alpha_max='):
        SoftTargetHook(**wrong)
