"""Matching of skeletons with sentences: who learns, who is left out, what the averages do."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmact_ssl.models.heads.prompt_matching import PromptMatchingHead

BATCH, IN, PROMPT = 6, 5, 7
LOSS = dict(type='SoftTargetInfoNCELoss', temperature=0.1, target_temperature=0.2, beta=0.3)


def make_head(**changes) -> PromptMatchingHead:
    torch.manual_seed(0)
    sizes = dict(in_channels=IN, prompt_channels=PROMPT, hidden_dim=8, embedding_dim=4)
    head = PromptMatchingHead(**{**sizes, **changes}).double()
    head.progress = 1.0
    return head


def make_inputs(momentum: bool = False) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    inputs = dict(
        pooled=draw(BATCH, IN),
        prompt=draw(BATCH, 1, PROMPT),
        valid=torch.ones(BATCH, dtype=torch.bool),
    )
    if momentum:
        inputs['momentum_pooled'] = draw(BATCH, IN)
    return inputs


def unit(values: Tensor) -> Tensor:
    return values / values.square().sum(1, keepdim=True).sqrt()


def slow_loss(head: PromptMatchingHead, inputs: dict[str, Tensor], alpha: float) -> Tensor:
    """The equation of the method, row by row, of a batch in which every clip has a sentence."""
    raw = unit(inputs['prompt'][:, 0])
    z, w = unit(head.skeleton_projector(inputs['pooled'])), unit(head.prompt_projector(raw))
    z, w = z.detach(), w.detach()
    z_own, w_own, cross = z, w, None
    if 'momentum_pooled' in inputs:
        z_own = unit(head.momentum_projectors['skeleton'](inputs['momentum_pooled']))
        w_own = unit(head.momentum_projectors['prompt'](raw))
        cross = z_own @ w_own.T
    directions = [(z @ w.T, w_own @ w_own.T, cross)]
    directions.append((w @ z.T, z_own @ z_own.T, None if cross is None else cross.T))
    total = 0.0
    for similarity, own, other in directions:
        for i in range(BATCH):
            soft = (own[i] / head.loss_module.target_temperature).exp()
            soft = soft / soft.sum()
            if other is not None:
                consistent = (other[i] / head.loss_module.target_temperature).exp()
                soft = (
                    head.loss_module.beta * soft
                    + (1 - head.loss_module.beta) * consistent / consistent.sum()
                )
            target = alpha * soft
            target[i] += 1 - alpha
            scores = similarity[i] / head.loss_module.temperature
            total = total - (target * (scores - scores.exp().sum().log())).sum()
    return total / (2 * BATCH)


@pytest.mark.parametrize('alpha', [0.0, 0.4, 1.0])
@pytest.mark.parametrize('momentum', [False, True])
def test_the_loss_is_that_of_the_slow_twin(alpha, momentum):
    head = make_head(cross_consistency=momentum, alpha_max=alpha, loss=LOSS)
    with torch.no_grad():  # averages that differ from the projectors
        for average in head.momentum_projectors.parameters() if momentum else ():
            average.add_(0.1)
    inputs = make_inputs(momentum)
    found = head.loss(**inputs)['loss']
    torch.testing.assert_close(found, slow_loss(head, inputs, alpha))


def test_targets_soften_with_the_progress_of_the_training():
    head = make_head(alpha_max=0.8)
    for progress, alpha in ((0.0, 0.0), (0.25, 0.8 * (1 - 2**-0.5) / 2), (0.5, 0.4), (1.0, 0.8)):
        head.progress = progress
        assert head.alpha == pytest.approx(alpha)
        assert float(head.loss(**make_inputs())['alpha']) == pytest.approx(alpha)
    assert make_head().alpha == 0, 'hard unless asked'


def test_clips_without_a_sentence_change_nothing_and_learn_nothing():
    head, inputs = make_head(cross_consistency=True, alpha_max=0.5), make_inputs(True)
    without = torch.tensor([1, 4])
    kept = torch.tensor([0, 2, 3, 5])
    expected = head.loss(**{name: value[kept] for name, value in inputs.items()})
    inputs['prompt'][without] = 0
    inputs['valid'][without] = False
    inputs['pooled'].requires_grad_()
    found = head.loss(**inputs)
    for name in ('loss', 'accuracy', 'sentence_accuracy'):
        torch.testing.assert_close(found[name], expected[name])
    assert found['with_sentence'] == pytest.approx(4 / 6)
    found['loss'].backward()
    assert (inputs['pooled'].grad[without] == 0).all()
