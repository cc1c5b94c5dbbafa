"""C2VL's matching of skeletons with sentences."""

from __future__ import annotations

import math
from typing import Optional, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_ssl.models.losses.common import gather
from mmact_ssl.models.losses.soft_target_info_nce import match_streams
from mmact_ssl.models.momentum.copy import MomentumCopy
from mmact_ssl.models.networks.projector import StreamProjectors, unit_sentence
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead, Term, Terms


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

    over the pairs of all processes. Contrast with prompts, self-similarity, cross-consistency and
    progressive softening are C2VL's (arXiv 2405.20606); the formulas, ``alpha = alpha_max * (1 -
    cos(pi * progress)) / 2``, and the numbers are our choice. ``K`` is of the moving averages where
    there are any. A clip without a sentence takes no part; the projectors have no batch statistics.

    Args:
        in_channels: Size of the pooled features of skeletons.
        prompt_channels: Size of the cached embeddings of sentences.
        view: The view that is matched.
        target: Name of the target with one embedding a clip: of a sentence, or of its video.
        cross_consistency: Use ``S'``. Off: the self-similarity alone softens the targets.
        hidden_dim, embedding_dim: Sizes of the projectors.
        alpha_max, schedule: Of alpha, ``'cosine'`` or ``'constant'``; 0: targets stay hard.
        momentum: Of the projectors' moving averages; take the momentum encoder's.
        streams: Number of parts of the feature with own projectors, as in :class:`ContrastHead`.
        loss: Of queries, keys and their soft targets; holds tau, tau_k and beta.
        inputs: Sources of ``pooled`` and, with cross-consistency, ``momentum_pooled`` ``[B, C]``,
            ``prompt`` ``[B, 1, P]``, ``valid`` bool ``[B]``.
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
        loss: dict = dict(
            type='SoftTargetInfoNCELoss', temperature=0.1, target_temperature=0.1, beta=0.5
        ),
        inputs: Optional[dict[str, str]] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        average = dict(momentum_pooled=f'{view}.momentum_pooled') if cross_consistency else {}
        inputs = {**average, **(inputs or {})}
        super().__init__(inputs, loss, init_cfg, view=view, target=target)
        self.alpha_max, self.schedule, self.streams = alpha_max, schedule, streams
        sizes = (hidden_dim, embedding_dim, streams)
        self.skeleton_projector = StreamProjectors(in_channels, *sizes)
        self.prompt_projector = StreamProjectors(prompt_channels, *sizes, split=False)
        self.momentum_projectors = nn.ModuleDict()
        if cross_consistency:
            self.momentum_projectors['skeleton'] = MomentumCopy(self.skeleton_projector, momentum)
            self.momentum_projectors['prompt'] = MomentumCopy(self.prompt_projector, momentum)

    @property
    def alpha(self) -> float:
        """Share of the soft targets at this point of the training."""
        cosine = (1 - math.cos(math.pi * self.progress)) / 2
        return self.alpha_max * dict(cosine=cosine, constant=1.0)[self.schedule]

    def momentum_pairs(self) -> list[tuple[MomentumCopy, nn.Module]]:
        copies = cast('list[MomentumCopy]', list(self.momentum_projectors.values()))
        return list(zip(copies, (self.skeleton_projector, self.prompt_projector)))

    def embed(self, pooled: Tensor, prompt: Tensor) -> tuple[Tensor, Tensor]:
        """Skeletons ``[B, C]`` and sentences ``[B, 1, P]`` as S unit vectors, ``[B, S * D]``."""
        return self.skeleton_projector(pooled), self.prompt_projector(unit_sentence(prompt))

    def terms(self, pooled: Tensor, prompt: Tensor, valid: Tensor, **momentum: Tensor) -> Terms:
        """Loss of both directions; whether clip and sentence find each other, beside chance."""
        spaces = [*self.embed(pooled, prompt)]
        if momentum:
            with torch.no_grad():
                spaces.append(self.momentum_projectors['skeleton'](momentum['momentum_pooled']))
                spaces.append(self.momentum_projectors['prompt'](unit_sentence(prompt)))
        streams = [space.chunk(self.streams, dim=1) for space in spaces]
        to_sentence, to_skeleton = match_streams(self.loss_module, streams, valid, self.alpha)
        weight = valid.to(pooled.dtype)
        chance = (1 / gather(valid).sum().clamp(min=1)).to(pooled.dtype)
        return dict(
            loss=Term((to_sentence['loss'] + to_skeleton['loss']) / 2, weight),
            accuracy=Term(to_sentence['hit'], weight),
            sentence_accuracy=Term(to_skeleton['hit'], weight),
            chance=Term(chance.expand(len(valid)), weight),
            sentence_chance=Term(chance.expand(len(valid)), weight),
            with_sentence=Term(weight.mean()),
            alpha=Term(weight.new_tensor(self.alpha)),
            perplexity=Term(to_sentence['perplexity']),
            skeleton_perplexity=Term(to_skeleton['perplexity']),
            embedding=F.normalize(spaces[0].detach(), dim=-1),
        )
