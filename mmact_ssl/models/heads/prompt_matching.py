"""C2VL's matching of skeletons with sentences."""

from __future__ import annotations

from typing import Optional, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.losses import gather, soft_target_info_nce, soft_targets
from mmact_ssl.models.momentum.copy import MomentumCopy
from mmact_ssl.models.networks.projector import StreamProjectors
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead


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
    cross-consistency, progressively; the formula, the numbers and the projectors are our choice.
    With ``alpha`` 0, as it is until :class:`SoftTargetHook` sets it, this is plain InfoNCE in both
    directions.

    ``K`` is that of ``z`` and ``w``, or of their moving averages where there are any, so that one
    temperature suits all: the frozen encoder's cosines lie much closer together, and tell less of
    what the body does. Targets carry no gradient. A clip without a sentence is in no row and no
    column. The projectors have no batch normalization, so that no statistics mix clips with and
    without a sentence, or differ between a projector and its moving average.

    Args:
        in_channels: Size of the pooled features of skeletons.
        prompt_channels: Size of the cached embeddings of sentences.
        view: The view that is matched; its target ``'<view>_<target>'`` comes from
            :class:`LoadTargets`.
        target: ``'prompt'``, or the name of what else a clip has one embedding of, such as the mean
            over the frames of its video; it then takes the place of the sentence.
        cross_consistency: Read the momentum encoder's ``'<view>.momentum_pooled'`` for ``S'``. Off:
            the self-similarity alone softens the targets.
        hidden_dim, embedding_dim: Sizes of the projectors.
        temperature: Tau, ``> 0``.
        target_temperature: Tau_k, ``> 0``.
        share: Beta, 0 .. 1; read with ``cross_consistency`` only.
        momentum: What a projector's moving average keeps of itself in each step; take the momentum
            encoder's.
        streams: Of skeletons' features made of as many equal parts, one after another, each meets
            the sentences by projectors of its own, and the losses are summed: no stream can leave
            the work to another. Our choice, as in :class:`ContrastHead`.
        reads: Sources of ``pooled``, ``prompt``, ``prompt_valid``, and ``momentum_pooled``.

    Raises:
        ConfigError: A temperature is not positive, ``share`` is not in 0 .. 1, ``momentum`` is not
            below 1, or the streams do not divide the features.
    """

    def __init__(
        self,
        in_channels: int,
        prompt_channels: int = 384,
        view: str = 'clip',
        target: str = 'prompt',
        cross_consistency: bool = False,
        hidden_dim: int = 512,
        embedding_dim: int = 128,
        temperature: float = 0.1,
        target_temperature: float = 0.1,
        share: float = 0.5,
        momentum: float = 0.999,
        streams: int = 1,
        reads: Optional[dict[str, str]] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        usual = dict(
            pooled=f'{view}.pooled',
            prompt=f'{view}_{target}',
            prompt_valid=f'{view}_{target}_valid',
        )
        if cross_consistency:
            usual['momentum_pooled'] = f'{view}.momentum_pooled'
        super().__init__({**usual, **(reads or {})}, init_cfg)
        if min(temperature, target_temperature) <= 0 or not 0 <= share <= 1:
            raise ConfigError(
                f'PromptMatchingHead: temperature={temperature}, target_temperature='
                f'{target_temperature} must be above 0, share={share} within 0 and 1'
            )
        if streams < 1 or in_channels % streams:
            raise ConfigError(
                f'PromptMatchingHead: in_channels={in_channels} are not streams={streams} equal '
                'parts'
            )
        self.temperature = temperature
        self.target_temperature = target_temperature
        self.share = share
        self.alpha = 0.0
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

    def momentum_pairs(self) -> list[tuple[MomentumCopy, nn.Module]]:
        if self.momentum_projectors is None:
            return []
        sources = dict(skeleton=self.skeleton_projector, prompt=self.prompt_projector)
        return [
            (cast(MomentumCopy, self.momentum_projectors[name]), source)
            for name, source in sources.items()
        ]

    def embed(self, pooled: Tensor, prompt: Tensor) -> tuple[Tensor, Tensor]:
        """Skeletons ``[B, C]`` and sentences ``[B, 1, P]`` in the shared space.

        Both ``[B, S * D]``: S streams, one after another, of length 1 each.
        """
        return self.skeleton_projector(pooled), self.prompt_projector(unit_sentence(prompt))

    def _match(
        self,
        pooled: Tensor,
        prompt: Tensor,
        prompt_valid: Tensor,
        momentum_pooled: Optional[Tensor] = None,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Loss and hits from skeletons to sentences, and from sentences to skeletons."""
        skeletons, sentences = self.embed(pooled, prompt)
        average: Optional[tuple[Tensor, Tensor]] = None
        if self.momentum_projectors is not None and momentum_pooled is not None:
            with torch.no_grad():
                average = (
                    self.momentum_projectors['skeleton'](momentum_pooled.detach()),
                    self.momentum_projectors['prompt'](unit_sentence(prompt)),
                )
        spaces = (skeletons, sentences, *(average or ()))
        forward, backward = [], []
        for own in zip(*(space.chunk(self.streams, dim=1) for space in spaces)):
            pair = (own[2], own[3]) if average is not None else None
            reverse = (own[3], own[2]) if average is not None else None
            forward.append(self._find(own[0], own[1], pair, prompt_valid))
            backward.append(self._find(own[1], own[0], reverse, prompt_valid))
        return _join_streams(forward), _join_streams(backward)

    def _find(
        self,
        queries: Tensor,
        keys: Tensor,
        average: Optional[tuple[Tensor, Tensor]],
        valid: Tensor,
    ) -> dict[str, Tensor]:
        """Loss and hits of queries among keys; ``average``: both by the moving averages."""
        own = keys if average is None else average[1]
        common = dict(share=self.share, temperature=self.target_temperature)
        target = soft_targets(valid, self.alpha, own, average, **common)
        found = soft_target_info_nce(queries, keys, valid, target, self.temperature)
        spread = soft_targets(valid, 1.0, own, temperature=self.target_temperature)
        rows = torch.special.entr(spread[valid]).sum(1).exp()
        found['perplexity'] = rows.sum() / max(len(rows), 1)
        return found

    def loss(self, **sources: Tensor) -> dict[str, Tensor]:
        """Both directions' loss; how often each finds its partner; alpha; clips with a sentence.

        And two perplexities, exp of the entropy of softmax(K / tau_k): as if each clip had so many
        alike, by its sentence or by its skeleton. A few is what softening wants; one or all clips
        say nothing.

        Args:
            sources: ``pooled`` ``[B, C]``; ``prompt`` ``[B, 1, P]``; ``prompt_valid`` bool ``[B]``;
                with cross-consistency ``momentum_pooled`` ``[B, C]``.
        """
        forward, backward = self._match(**sources)
        valid = sources['prompt_valid'].to(forward['hit'].dtype)
        count = valid.sum().clamp(min=1)
        return dict(
            loss=(forward['loss'] + backward['loss']) / 2,
            accuracy=(forward['hit'] * valid).sum() / count,
            sentence_accuracy=(backward['hit'] * valid).sum() / count,
            with_sentence=valid.mean(),
            alpha=valid.new_tensor(self.alpha),
            perplexity=forward['perplexity'],
            skeleton_perplexity=backward['perplexity'],
        )

    def predict(self, **sources: Tensor) -> dict[str, Tensor]:
        """Embeddings ``[B, S * D]``; of each clip whether it and its sentence find each other.

        With several streams, in what share of them.
        Chance is one over the clips with a sentence of all processes, among which all search.
        """
        forward, backward = self._match(**sources)
        valid = sources['prompt_valid']
        skeletons, _ = self.embed(sources['pooled'], sources['prompt'])
        undefined = torch.full_like(forward['hit'], float('nan'))
        chance = (1 / gather(valid).sum().clamp(min=1)).to(undefined.dtype).expand(len(valid))
        return dict(
            embedding=F.normalize(skeletons, dim=-1),
            accuracy=forward['hit'].where(valid, undefined),
            sentence_accuracy=backward['hit'].where(valid, undefined),
            chance=chance.where(valid, undefined),
        )


def _join_streams(found: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The sum of the streams' losses, and the mean of all else."""
    joined = {name: torch.stack([own[name] for own in found]).mean(0) for name in found[0]}
    return {**joined, 'loss': torch.stack([own['loss'] for own in found]).sum()}


def unit_sentence(prompt: Tensor) -> Tensor:
    """One embedding of a cache as the projector reads it, ``[B, 1, P]`` -> ``[B, P]``, length 1.

    An absent one, which is zero, stays zero.
    """
    precise = prompt.detach().to(torch.promote_types(prompt.dtype, torch.float32))
    return F.normalize(precise.squeeze(1), dim=-1)
