"""When the targets soften and the averages move."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from mmact_ssl.engine.hooks import SoftTargetHook
from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads import PromptMatchingHead


def make_runner(accumulate: int = 1) -> SimpleNamespace:
    model = nn.Module()
    torch.manual_seed(0)
    head = PromptMatchingHead(3, 4, cross_consistency=True, hidden_dim=2, embedding_dim=2)
    model.heads = nn.ModuleDict(dict(prompts=head, other=nn.Linear(1, 1)))
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    wrapper = OptimWrapper(optimizer, accumulative_counts=accumulate)
    return SimpleNamespace(model=model, iter=0, max_iters=8, optim_wrapper=wrapper)


def steps(runner: SimpleNamespace, hook: SoftTargetHook) -> tuple[list[float], list[bool]]:
    """Alpha of each step, and whether the averages moved after it."""
    head = runner.model.heads['prompts']
    alphas, moved = [], []
    runner.optim_wrapper.initialize_count_status(runner.model, 0, runner.max_iters)
    for step in range(runner.max_iters):
        runner.iter = step
        hook.before_train_iter(runner, step)
        alphas.append(head.alpha)
        before = head.momentum_projectors['skeleton'][2].bias.clone()
        loss = head.skeleton_projector(torch.ones(1, 3)).square().sum()
        runner.optim_wrapper.update_params(loss)
        hook.after_train_iter(runner, step)
        moved.append(not torch.equal(before, head.momentum_projectors['skeleton'][2].bias))
    return alphas, moved


def test_alpha_rises_by_half_a_cosine_from_zero():
    alphas, _ = steps(make_runner(), SoftTargetHook(alpha_max=0.4))
    expected = [0.4 * math.sin(math.pi * i / 16) ** 2 for i in range(8)]
    assert alphas == pytest.approx(expected)
    assert alphas[0] == 0
    assert SoftTargetHook(alpha_max=0.4).alpha(1.0) == pytest.approx(0.4)
    constant, _ = steps(make_runner(), SoftTargetHook(alpha_max=0.4, schedule='constant'))
    assert constant == [0.4] * 8


@pytest.mark.parametrize('accumulate', [1, 2, 3])
def test_the_averages_move_once_an_optimisers_step(accumulate):
    _, moved = steps(make_runner(accumulate), SoftTargetHook())
    # The last step is taken with what has gathered until then.
    expected = [i % accumulate == 0 or i == 8 for i in range(1, 9)]
    assert moved == expected


@pytest.mark.parametrize('task', ['other', 'none'])
def test_another_head_is_refused_before_the_first_step(task):
    with pytest.raises(ConfigError, match=f'model.heads.{task} is no PromptMatchingHead'):
        SoftTargetHook(task=task).before_train(make_runner())


@pytest.mark.parametrize('wrong', [dict(alpha_max=1.5), dict(alpha_max=-1), dict(schedule='step')])
def test_impossible_schedules_are_refused(wrong):
    with pytest.raises(ConfigError, match='SoftTargetHook: alpha_max='):
        SoftTargetHook(**wrong)
