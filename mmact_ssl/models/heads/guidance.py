"""Guidance of a student by frozen teachers, clip by clip or frame by frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool1d, cosine_similarity, normalize

from mmact_ssl.models.heads.pretext_head import PretextHead, replace_inputs
from mmact_ssl.models.heads.terms import Term, Terms, mean_term
from mmact_ssl.models.losses.common import gather
from mmact_ssl.models.necks.target_pooling import PooledTarget, RunningStandardizer
from mmact_ssl.models.networks.projector import make_projector
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class TeacherGuidanceHead(PretextHead):
    """Find the other clip of the same video among the features of each teacher.

    With ``s(A)``, ``s(B)`` the student's features of two clips of a video, ``t_k(A)``, ``t_k(B)``
    those of teacher k, and ``p_k`` a projector::

        contrast_k  = (  info_nce(p_k(s(A)), t_k(B))  +  info_nce(p_k(s(B)), t_k(A))  ) / 2
        agreement_k = (  1 - cos(p_k(s(A)), t_k(A))   +   1 - cos(p_k(s(B)), t_k(B))  ) / 2
        loss_k      = contrast * contrast_k  +  agreement * agreement_k
        loss        = the teachers' losses by their weights

    Source: DTG-Net (arXiv 2006.07609) trains this consistency and weighs its teachers differently;
    InfoNCE, agreement, projectors and the kinds of weights are our choice. A contrast of student
    against student is another task, :class:`ContrastHead`. ``t_k`` is a :class:`PooledTarget`. If a
    pose teacher finds no person in one of a video's clips, the video has no loss for this teacher
    and is excluded from all negatives. A teacher's confidence, for confidence weights, is the
    softmax probability of its own ``t_k(B)`` for its own ``t_k(A)``.

    Args:
        teachers: Name -> arguments of :class:`PooledTarget`; None switches a teacher off.
        weights: Config of a :class:`TeacherWeights`, without its teachers.
        contrast: Weight of the contrast with the other clip of the video, ``>= 0``.
        agreement: Weight of the agreement with the teacher on the same clip, ``>= 0``.
        hidden_dim: Hidden size of the projectors; 0: linear projectors.
        inputs: Argument -> name of its input. Defaults: ``'<view>.pooled'`` ``(B, C)``,
            ``'targets.<view>.valid'`` bool ``(B, T)`` and ``'targets.<view>.<teacher>'``
            ``(B, T, ...)``, or ``(B, 1, ...)`` from a teacher of clips.
    """

    views = ('clip', 'clip_b')

    def __init__(
        self,
        in_channels: int,
        teachers: Mapping[str, Mapping[str, Any]],
        weights: dict = dict(type='FixedTeacherWeights'),
        contrast: float = 1.0,
        agreement: float = 0.0,
        hidden_dim: int = 512,
        loss: dict = dict(type='InfoNCELoss', temperature=0.1),
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        teachers = {name: settings for name, settings in teachers.items() if settings}
        own = {view: f'{view}.pooled' for view in self.views}
        for view in self.views:
            own |= {f'{view}_{name}': f'targets.{view}.{name}' for name in ('valid', *teachers)}
        super().__init__(replace_inputs(own, inputs), loss, init_cfg)
        self.contrast, self.agreement = contrast, agreement
        self.projectors = nn.ModuleDict()
        self.pooled_targets = nn.ModuleDict()
        for name, settings in teachers.items():
            pooled = self.pooled_targets[name] = PooledTarget(**settings)
            self.projectors[name] = make_projector(in_channels, hidden_dim, pooled.channels)
        self.weights = MODELS.build({**weights, 'teachers': list(teachers)})

    def terms(self, **inputs: Tensor) -> Terms:
        """Compute the loss, and each teacher's error, accuracy, chance, confidence and weight.

        The outputs are cosines ``(B, B)`` of first clips (rows) with second clips (columns), for
        the student's projections and for the teacher's own embeddings.
        """
        losses, confidences, seens = [], [], []
        terms: Terms = {}
        for name, projector in self.projectors.items():
            targets = [inputs[f'{view}_{name}'] for view in self.views]
            valid = [inputs[f'{view}_valid'] for view in self.views]
            first, second, seen = self.pooled_targets[name](targets, valid)
            # One view after the other, so that views share no batch statistics.
            own = [projector(inputs[view]) for view in self.views]
            forward = self.loss_module(own[0], second, seen)
            backward = self.loss_module(own[1], first, seen)
            contrast = (forward['loss'] + backward['loss']) / 2
            cosine = (cosine_similarity(own[0], first) + cosine_similarity(own[1], second)) / 2
            losses.append(
                self.contrast * contrast + self.agreement * (1 - cosine).masked_fill(~seen, 0)
            )
            confidences.append((-self.loss_module(first, second, seen)['loss']).exp().detach())
            seens.append(seen)
            weight = seen.to(contrast.dtype)
            terms[f'{name}_error'] = Term(losses[-1], weight)
            terms[f'{name}_accuracy'] = Term((forward['hit'] + backward['hit']) / 2, weight)
            chance = 1 / gather(weight).sum().clamp(min=1)
            terms[f'{name}_chance'] = Term(chance.expand_as(weight), weight)
            terms[f'{name}_confidence'] = Term(confidences[-1], weight)
            terms[f'{name}_valid_fraction'] = Term(weight.mean())
            terms[f'{name}_similarity'] = normalize(own[0].detach()) @ normalize(second).T
            terms[f'{name}_own_similarity'] = normalize(first) @ normalize(second).T
        loss, weights = self.weights(*(torch.stack(x) for x in (losses, confidences, seens)))
        terms.update({f'{n}_weight': Term(w) for n, w in zip(self.projectors, weights)})
        return dict(**terms, loss=Term(loss))


@MODELS.register_module()
class FrameGuidanceHead(PretextHead):
    """Agree with an image teacher on each frame of a clip.

    With ``s_t`` the mean of the student's map at time t over its positions, ``z_t`` the teacher's
    embedding of that frame, standardized (:class:`RunningStandardizer`), and ``r`` a linear map::

        loss = mean over valid t of  1 - cos(r(s_t), z_t)

    Targets of frames give few videos many more targets than targets of clips. DTG-Net as published
    compares clips; comparing frames is our choice.

    Args:
        channels: Channels of the teacher's embedding.
        inputs: Names of ``feature_map`` ``(B, C, T', H', W')``, ``target`` ``(B, T, D)`` and
            ``valid``, bool ``(B, T)``. If the student has fewer frames, ``T' < T``, the target is
            averaged over the frames of each of its frames.
    """

    inputs = dict(
        feature_map='clip.feature_map', target='targets.clip.imagenet', valid='targets.clip.valid'
    )

    def __init__(
        self,
        in_channels: int,
        channels: int,
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(inputs, init_cfg=init_cfg)
        self.standardizer = RunningStandardizer(channels)
        self.reader = nn.Linear(in_channels, channels)

    def terms(self, feature_map: Tensor, target: Tensor, valid: Tensor) -> Terms:
        """Compute the loss and the mean cosine; 0 is the cosine of the mean embedding."""
        frames = feature_map.flatten(3).mean(3).transpose(1, 2)  # (B, T', C)
        weight = valid.to(frames.dtype)[:, None]  # (B, 1, T)
        steps = frames.shape[1]
        share = adaptive_avg_pool1d(weight, steps)
        target = adaptive_avg_pool1d(target.detach().float().transpose(1, 2) * weight, steps)
        target = (target / share.clamp(min=1e-6)).transpose(1, 2).flatten(0, 1)  # (B*T', D)
        counts = share[:, 0] > 0  # (B, T')
        standardized = self.standardizer(target, counts.flatten())
        predicted = self.reader(frames.flatten(0, 1))
        cosine = cosine_similarity(predicted, standardized).view_as(counts)
        return dict(
            loss=mean_term(1 - cosine, counts),
            cosine=mean_term(cosine.detach(), counts),
            cosine_constant=mean_term(torch.zeros_like(cosine), counts),
        )
