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
    options = {**sizes, 'schedule': 'constant'}
    return PromptMatchingHead(**{**options, **changes}).double()


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
    head = make_head(alpha_max=0.8, schedule='cosine')
    for progress, alpha in ((0.0, 0.0), (0.25, 0.8 * (1 - 2**-0.5) / 2), (0.5, 0.4), (1.0, 0.8)):
        head.progress = progress
        assert head.alpha == pytest.approx(alpha)
        assert float(head.loss(**make_inputs())['alpha']) == pytest.approx(alpha)
    constant = make_head(alpha_max=0.8)
    assert constant.alpha == 0.8 and make_head().alpha == 0, 'hard unless asked'


def test_the_perplexity_is_that_of_the_sentences():
    """All clips have one sentence, and skeletons of their own."""
    head, inputs = make_head(loss=LOSS), make_inputs()
    inputs['prompt'][:] = inputs['prompt'][0]
    found = head.loss(**inputs)
    assert found['perplexity'].item() == pytest.approx(BATCH)
    assert found['skeleton_perplexity'] < BATCH - 0.1


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


@pytest.mark.parametrize('momentum', [False, True])
def test_each_stream_meets_the_sentences_by_itself(momentum):
    """As two heads, each of which sees its own half of the features."""
    options = dict(cross_consistency=momentum, alpha_max=0.6)
    both = make_head(in_channels=2 * IN, streams=2, **options)
    with torch.no_grad():  # averages that differ from the projectors
        for average in both.momentum_projectors.parameters() if momentum else ():
            average.add_(0.1)
    alone = [make_head(**options) for _ in range(2)]
    for index, head in enumerate(alone):
        for name, value in head.state_dict().items():
            if 'n_averaged' not in name:
                *path, _, layer, kind = name.split('.')
                value.copy_(both.state_dict()['.'.join([*path, str(index), layer, kind])])
    halves = [make_inputs(momentum), make_inputs(momentum)]
    inputs = dict(halves[0])
    for name in ('pooled', 'momentum_pooled')[: 1 + momentum]:
        halves[1][name] = halves[1][name].flip(0) * 2
        inputs[name] = torch.cat([half[name] for half in halves], dim=1)
    found = both.loss(**inputs)
    one, other = (head.loss(**half) for head, half in zip(alone, halves))
    torch.testing.assert_close(found['loss'], one['loss'] + other['loss'])
    assert not torch.isclose(one['loss'], other['loss'])
    for name in ('accuracy', 'sentence_accuracy', 'perplexity', 'skeleton_perplexity'):
        torch.testing.assert_close(found[name], (one[name] + other[name]) / 2)
    parts = [head.embed(half['pooled'], half['prompt']) for head, half in zip(alone, halves)]
    for space, expected in zip(both.embed(inputs['pooled'], inputs['prompt']), zip(*parts)):
        torch.testing.assert_close(space, torch.cat(expected, dim=1))
        lengths = [part.square().sum(1) for part in space.chunk(2, dim=1)]
        torch.testing.assert_close(torch.stack(lengths), torch.ones_like(torch.stack(lengths)))
