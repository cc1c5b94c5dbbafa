"""C2VL's matching of skeletons with sentences."""

from __future__ import annotations

import math
from typing import Optional, Union, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_ssl.models.losses import gather
from mmact_ssl.models.momentum.copy import MomentumCopy
from mmact_ssl.models.networks.projector import StreamProjectors
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead, Term


@MODELS.register_module()
class PromptMatchingHead(PretextHead):
    """Match each clip with a sentence about it, without calling all others wrong.

    With ``z``, ``w`` the projected skeletons and sentences at unit length, ``S_ij = z_i . w_j``,
    ``S'`` the same of the moving averages, ``K`` the cosines among the sentences (for the rows of
    skeletons) or among the skeletons (for the rows of sentences)::

        target = (1 - alpha) * identity
                 + alpha * ( beta * softmax(K / tau_k) + (1 - beta) * softmax(S' / tau_k) )
        loss   = ( cross_entropy(target, softmax(S / tau))
                   + the same from sentences to skeletons ) / 2

    over the pairs of all processes. Source: C2VL (arXiv 2405.20606) contrasts skeletons with
    prompts of large multimodal models and softens the targets by self-similarity and
    cross-consistency, progressively: ``alpha = alpha_max * (1 - cos(pi * progress)) / 2``. The
    formulas, the numbers and the projectors are our choice. With ``alpha`` 0 this is plain InfoNCE
    in both directions.

    ``K`` is that of ``z`` and ``w``, or of their moving averages where there are any, so that one
    temperature suits all: the frozen encoder's cosines lie much closer together, and tell less of
    what the body does. Targets carry no gradient. A clip without a sentence is in no row and no
    column. The projectors have no batch normalization, so that no statistics mix clips with and
    without a sentence, or differ between a projector and its moving average.

    Args:
        in_channels: Size of the pooled features of skeletons.
        prompt_channels: Size of the cached embeddings of sentences.
        view: The view that is matched.
        target: ``'prompt'``, or the name of another target with one embedding a clip, such as the
            mean over the frames of its video; it then takes the place of the sentence.
        cross_consistency: Read ``'<view>.momentum_pooled'`` for ``S'``. Off: the self-similarity
            alone softens the targets.
        hidden_dim, embedding_dim: Sizes of the projectors.
        alpha_max: At the end of training, 0 (targets stay hard) .. 1.
        schedule: ``'cosine'``, or ``'constant'``: ``alpha_max`` all the time.
        momentum: What a projector's moving average keeps of itself in each step; take the momentum
            encoder's.
        streams: Number of equal parts of the feature, one after another, that meet the sentences by
            projectors of their own; their losses are summed. Our choice, as in
            :class:`ContrastHead`.
        loss: Of queries, keys and their soft targets; holds tau, tau_k and beta.
        inputs: Sources of ``pooled`` ``[B, C]``, ``prompt`` ``[B, 1, P]``, ``valid`` bool ``[B]``
            and, with cross-consistency, ``momentum_pooled`` ``[B, C]``.
    """

    inputs = dict(
        pooled='{view}.pooled',
        prompt='targets.{view}.{target}',
        valid='targets.{view}.{target}_valid',
    )

    def __init__(
        self,
        in_channels: int,
        prompt_channels: int = 384,
        view: str = 'clip',
        target: str = 'prompt',
        cross_consistency: bool = False,
        hidden_dim: int = 512,
        embedding_dim: int = 128,
        alpha_max: float = 0.0,
        schedule: str = 'cosine',
        momentum: float = 0.999,
        streams: int = 1,
        loss: dict = dict(type='SoftTargetInfoNCELoss'),
        inputs: Optional[dict[str, str]] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        average = dict(momentum_pooled=f'{view}.momentum_pooled') if cross_consistency else {}
        inputs = {**average, **(inputs or {})}
        super().__init__(inputs, loss, init_cfg, view=view, target=target)
        self.alpha_max = alpha_max
        self.schedule = schedule
        self.streams = streams
        sizes = (hidden_dim, embedding_dim, streams)
        self.skeleton_projector = StreamProjectors(in_channels, *sizes)
        self.prompt_projector = StreamProjectors(prompt_channels, *sizes, split=False)
        self.momentum_projectors: Optional[nn.ModuleDict] = None
        if cross_consistency:
            self.momentum_projectors = nn.ModuleDict(
                dict(
                    skeleton=MomentumCopy(self.skeleton_projector, momentum),
                    prompt=MomentumCopy(self.prompt_projector, momentum),
                )
            )

    @property
    def alpha(self) -> float:
        """Share of the soft targets at this point of the training."""
        cosine = (1 - math.cos(math.pi * self.progress)) / 2
        return self.alpha_max * (1.0 if self.schedule == 'constant' else cosine)

    def momentum_pairs(self) -> list[tuple[MomentumCopy, nn.Module]]:
        sources = dict(skeleton=self.skeleton_projector, prompt=self.prompt_projector)
        return [
            (cast(MomentumCopy, copy), sources[name])
            for name, copy in (self.momentum_projectors or {}).items()
        ]

    def embed(self, pooled: Tensor, prompt: Tensor) -> tuple[Tensor, Tensor]:
        """Skeletons ``[B, C]`` and sentences ``[B, 1, P]`` in the shared space.

        Both ``[B, S * D]``: S streams, one after another, of length 1 each.
        """
        return self.skeleton_projector(pooled), self.prompt_projector(unit_sentence(prompt))

    def terms(
        self,
        pooled: Tensor,
        prompt: Tensor,
        valid: Tensor,
        momentum_pooled: Optional[Tensor] = None,
    ) -> dict[str, Union[Term, Tensor]]:
        """Loss of both directions, and whether clip and sentence find each other.

        Chance is one over the clips with a sentence of all processes, among which all search. The
        perplexities, of sentences and of skeletons, are the number of clips that soft targets take
        for alike: a few is what softening wants, one or all are of no use.
        """
        spaces = [*self.embed(pooled, prompt)]
        if self.momentum_projectors is not None and momentum_pooled is not None:
            with torch.no_grad():
                spaces.append(self.momentum_projectors['skeleton'](momentum_pooled.detach()))
                spaces.append(self.momentum_projectors['prompt'](unit_sentence(prompt)))
        forward, backward = [], []
        for skeletons, sentences, *average in zip(*(s.chunk(self.streams, 1) for s in spaces)):
            pair, reverse = (tuple(average), tuple(average[::-1])) if average else (None, None)
            forward.append(self.loss_module(skeletons, sentences, valid, self.alpha, pair))
            backward.append(self.loss_module(sentences, skeletons, valid, self.alpha, reverse))
        to_sentence, to_skeleton = _join(forward), _join(backward)
        weight = valid.to(pooled.dtype)
        chance = (1 / gather(valid).sum().clamp(min=1)).to(pooled.dtype)
        return dict(
            loss=Term((to_sentence['loss'] + to_skeleton['loss']) / 2, weight),
            accuracy=Term(to_sentence['hit'], weight),
            sentence_accuracy=Term(to_skeleton['hit'], weight),
            chance=Term(chance.expand(len(valid)), weight),
            with_sentence=Term(weight.mean()),
            alpha=Term(weight.new_tensor(self.alpha)),
            perplexity=Term(to_sentence['perplexity']),
            skeleton_perplexity=Term(to_skeleton['perplexity']),
            embedding=F.normalize(spaces[0].detach(), dim=-1),
        )


def _join(streams: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The sum of the streams' losses, and the mean of all else."""
    joined = {name: torch.stack([own[name] for own in streams]).mean(0) for name in streams[0]}
    return {**joined, 'loss': joined['loss'] * len(streams)}


def unit_sentence(prompt: Tensor) -> Tensor:
    """One embedding of a cache as the projector reads it, ``[B, 1, P]`` -> ``[B, P]``, length 1.

    An absent one, which is zero, stays zero.
    """
    precise = prompt.detach().to(torch.promote_types(prompt.dtype, torch.float32))
    return F.normalize(precise.squeeze(1), dim=-1)
