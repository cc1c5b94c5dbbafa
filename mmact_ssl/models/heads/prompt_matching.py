"""C2VL's matching of skeletons with sentences."""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_ssl.models.heads.pretext_head import PretextHead
from mmact_ssl.models.heads.terms import Term, Terms
from mmact_ssl.models.losses.common import gather
from mmact_ssl.models.momentum.copy import MomentumCopy
from mmact_ssl.models.networks.projector import UnitProjector, unit_sentence
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class PromptMatchingHead(PretextHead):
    """Match each clip with its sentence, with soft targets for similar pairs.

    With ``z``, ``w`` the projected skeletons and sentences at unit length, ``S_ij = z_i . w_j``,
    ``S'`` the same for the moving averages, ``K`` the cosines among the sentences (for the rows of
    skeletons) or among the skeletons (for the rows of sentences)::

        alike  = beta * softmax(K / tau_k) + (1 - beta) * softmax(S' / tau_k)
        target = (1 - alpha) * identity + alpha * alike
        loss   = (cross_entropy(target, softmax(S / tau)) + that from sentences to skeletons) / 2

    over the pairs of all processes with a sentence. With moving averages, ``K`` is computed from
    them. Both kinds of soft targets and the growing alpha are C2VL's (arXiv 2405.20606); formulas,
    ``alpha = alpha_max * (1 - cos(pi * progress)) / 2`` and numbers are our choice.

    Args:
        in_channels, prompt_channels: Sizes of the pooled features, and of the cached embeddings.
        target: Target to match, a clip's embedding of text or video.
        cross_consistency: Use ``S'``. Off: only the self-similarity softens the targets.
        hidden_dim, embedding_dim, momentum: Sizes of the projectors, and their averages' momentum.
        alpha_max: Largest alpha; 0: hard targets.
        inputs: Names of ``pooled`` and, with cross-consistency, ``momentum_pooled`` ``(B, C)``,
            ``prompt`` ``(B, 1, P)``, ``valid`` bool ``(B,)``.
    """

    inputs = dict(
        pooled='clip.pooled', prompt='targets.clip.{target}', valid='targets.clip.{target}_valid'
    )

    def __init__(
        self,
        in_channels: int,
        prompt_channels: int = 384,
        target: str = 'prompt',
        cross_consistency: bool = False,
        hidden_dim: int = 512,
        embedding_dim: int = 128,
        alpha_max: float = 0.0,
        momentum: float = 0.999,
        loss: dict = dict(type='SoftTargetInfoNCELoss'),
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        average = dict(momentum_pooled='clip.momentum_pooled') if cross_consistency else {}
        super().__init__({**average, **(inputs or {})}, loss, init_cfg, target=target)
        self.alpha_max = alpha_max
        self.skeleton_projector = UnitProjector(in_channels, hidden_dim, embedding_dim)
        self.prompt_projector = UnitProjector(prompt_channels, hidden_dim, embedding_dim)
        self.momentum_projectors = nn.ModuleDict()
        if cross_consistency:
            self.momentum_projectors['skeleton'] = MomentumCopy(self.skeleton_projector, momentum)
            self.momentum_projectors['prompt'] = MomentumCopy(self.prompt_projector, momentum)

    @property
    def alpha(self) -> float:
        """Share of the soft targets at this point of the training."""
        return self.alpha_max * (1 - math.cos(math.pi * self.progress)) / 2

    def momentum_pairs(self) -> list[tuple[MomentumCopy, nn.Module]]:
        copies = cast('list[MomentumCopy]', list(self.momentum_projectors.values()))
        return list(zip(copies, (self.skeleton_projector, self.prompt_projector)))

    def embed(self, pooled: Tensor, prompt: Tensor) -> tuple[Tensor, Tensor]:
        """Embed skeletons ``(B, C)``, sentences ``(B, 1, P)`` as unit vectors ``(B, D)``."""
        return self.skeleton_projector(pooled), self.prompt_projector(unit_sentence(prompt))

    def terms(
        self, pooled: Tensor, prompt: Tensor, valid: Tensor, momentum_pooled: Tensor | None = None
    ) -> Terms:
        """Compute the loss, and accuracy and chance level of both directions."""
        skeletons, sentences = self.embed(pooled, prompt)
        average, reverse = None, None
        if momentum_pooled is not None:
            with torch.no_grad():
                own = self.momentum_projectors['skeleton'](momentum_pooled)
                other = self.momentum_projectors['prompt'](unit_sentence(prompt))
            average, reverse = (own, other), (other, own)
        to_sentence = self.loss_module(skeletons, sentences, valid, self.alpha, average)
        to_skeleton = self.loss_module(sentences, skeletons, valid, self.alpha, reverse)
        weight = valid.to(pooled.dtype)
        chance = Term((1 / gather(valid).sum().clamp(min=1)).to(weight).expand_as(weight), weight)
        return dict(
            loss=Term((to_sentence['loss'] + to_skeleton['loss']) / 2, weight),
            accuracy=Term(to_sentence['hit'], weight),
            sentence_accuracy=Term(to_skeleton['hit'], weight),
            chance=chance,
            sentence_chance=chance,
            with_sentence=Term(weight.mean()),
            alpha=Term(weight.new_tensor(self.alpha)),
            embedding=F.normalize(skeletons.detach(), dim=-1),
        )
