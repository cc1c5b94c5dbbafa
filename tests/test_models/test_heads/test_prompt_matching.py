"""Matching of skeletons with sentences: who learns, who is left out, what the averages do."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
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


def cosines(one: Tensor, other: Tensor) -> Tensor:
    return F.cosine_similarity(one[:, None], other[None], dim=2)


def slow_loss(
    head: PromptMatchingHead, inputs: dict[str, Tensor], alpha: float
) -> tuple[Tensor, list[Tensor]]:
    """The equation of the method among the clips with a sentence, and hits of both directions."""
    kept, losses, hits = inputs['valid'], [], []
    raw = F.normalize(inputs['prompt'][kept, 0])
    z, w = head.skeleton_projector(inputs['pooled'][kept]), head.prompt_projector(raw)
    own = z, w
    if 'momentum_pooled' in inputs:
        copies = head.momentum_projectors
        own = copies['skeleton'](inputs['momentum_pooled'][kept]), copies['prompt'](raw)
    for queries, keys, first, second in ((z, w, *own), (w, z, *own[::-1])):
        soft = (cosines(second, second) / 0.2).softmax(1)
        if 'momentum_pooled' in inputs:
            soft = 0.3 * soft + 0.7 * (cosines(first, second) / 0.2).softmax(1)
        target = (1 - alpha) * torch.eye(len(z)) + alpha * soft.detach()
        logits = cosines(queries, keys) / 0.1
        losses.append(F.cross_entropy(logits, target))
        hits.append((logits.argmax(1) == torch.arange(len(z))).double().mean())
    return sum(losses) / 2, hits


@pytest.mark.parametrize('alpha', [0.0, 0.4, 1.0])
@pytest.mark.parametrize('momentum', [False, True])
@pytest.mark.parametrize('without', [[], [1, 4]])
def test_loss_hits_and_gradients_are_those_of_the_slow_twin(without, momentum, alpha):
    """A clip without a sentence changes nothing and learns nothing."""
    head = make_head(cross_consistency=momentum, alpha_max=alpha, loss=LOSS)
    with torch.no_grad():  # averages that differ from the projectors
        for average in head.momentum_projectors.parameters() if momentum else ():
            average.add_(0.1)
    inputs = make_inputs(momentum)
    inputs['prompt'][without] = 0
    inputs['valid'][without] = False
    learning = [inputs['pooled'].requires_grad_(), *head.skeleton_projector.parameters()]
    learning += head.prompt_projector.parameters()
    found = head.loss(**inputs)
    expected, hits = slow_loss(head, inputs, alpha)
    torch.testing.assert_close(found['loss'], expected)
    assert [found['accuracy'], found['sentence_accuracy']] == hits
    assert found['with_sentence'] == pytest.approx(1 - len(without) / BATCH)
    for gradients in zip(
        *(torch.autograd.grad(loss, learning) for loss in (found['loss'], expected))
    ):
        torch.testing.assert_close(*gradients)


def test_targets_soften_with_the_progress_of_the_training():
    head = make_head(alpha_max=0.8)
    for progress, alpha in ((0.0, 0.0), (0.25, 0.8 * (1 - 2**-0.5) / 2), (0.5, 0.4), (1.0, 0.8)):
        head.progress = progress
        assert head.alpha == pytest.approx(alpha)
        assert float(head.loss(**make_inputs())['alpha']) == pytest.approx(alpha)
    assert make_head().alpha == 0, 'hard unless asked'
