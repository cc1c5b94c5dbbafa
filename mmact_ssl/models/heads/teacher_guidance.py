"""Guidance of a student by several frozen teachers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize

from mmact_ssl.models.necks.running_standardizer import RunningStandardizer
from mmact_ssl.models.necks.target_pooling import body_frame, pool_target
from mmact_ssl.models.networks.projector import make_projector
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead, Term


@MODELS.register_module()
class TeacherGuidanceHead(PretextHead):
    """Find the other clip of the same video, as each teacher sees it.

    With ``s(A)``, ``s(B)`` the student's features of two clips of a video, ``t_k(A)``, ``t_k(B)``
    those of teacher k and ``p_k`` a projector::

        contrast_k  = (  info_nce(p_k(s(A)), t_k(B))  +  info_nce(p_k(s(B)), t_k(A))  ) / 2
        agreement_k = (  1 - cos(p_k(s(A)), t_k(A))   +   1 - cos(p_k(s(B)), t_k(B))  ) / 2
        loss_k      = contrast * contrast_k  +  agreement * agreement_k
        loss        = the teachers' losses by their weights

    so that clips of a video agree between teacher and student and those of different videos do not.
    Source: DTG-Net (arXiv 2006.07609) asks for this consistency and weighs its teachers
    differently; InfoNCE, agreement, projectors and the kinds of weights are our choice. With few
    videos a student soon tells them apart by anything; what it agrees with tells more. A contrast
    of student against student is a task of its own, :class:`ContrastHead`.

    ``t_k`` is the mean of the teacher's targets over the clip's valid frames, standardized
    (:class:`RunningStandardizer`), because features behind a ReLU all point one way. Frames in
    which a pose teacher finds nobody are not valid for it, nor for a joint those in which it does
    not know that joint; a joint that it never knows stays at the body's center. A video of which it
    finds nobody in one of the clips has no loss with it and is excluded from all negatives. A
    teacher's confidence, which one kind of weights reads, is the share of the softmax that its own
    ``t_k(A)`` gives to its own ``t_k(B)`` among the clips of the batch.

    Args:
        in_channels: Size of the pooled features.
        teachers: Name -> ``dict(channels=..., deviation=False)``, channels the number of values of
            the target ``targets.<view>.<name>`` per frame; or ``dict(joints=..., ...)`` for a pose
            teacher, whose poses are moved into the body's frame, see :func:`body_frame`. With
            ``deviation`` the values' deviation over the clip's frames is appended to their mean:
            what moves.
        views: The two clips.
        weights: Config of a :class:`TeacherWeights`, without its teachers.
        contrast: Weight of finding the other clip of the video, ``>= 0``.
        agreement: Weight of agreeing with the teacher on the same clip, ``>= 0``.
        hidden_dim: Of the projectors.
        loss: Of the contrast.
        inputs: Argument -> source, where that is not ``'<view>.pooled'`` ``[B, C]``,
            ``'targets.<view>.valid'`` bool ``[B, T]`` or ``'targets.<view>.<teacher>'``
            ``[B, T, ...]``, ``[B, 1, ...]`` from a teacher that reads whole clips.
    """

    def __init__(
        self,
        in_channels: int,
        teachers: Mapping[str, Mapping[str, Any]],
        views: Sequence[str] = ('clip', 'clip_b'),
        weights: dict = dict(type='FixedTeacherWeights'),
        contrast: float = 1.0,
        agreement: float = 0.0,
        hidden_dim: int = 512,
        loss: dict = dict(type='InfoNCELoss', temperature=0.1),
        inputs: Optional[dict[str, str]] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        # A teacher of None is switched off by a config that inherits it.
        teachers = {name: settings for name, settings in teachers.items() if settings}
        own = {view: f'{view}.pooled' for view in views}
        for view in views:
            own.update(
                {f'{view}_{name}': f'targets.{view}.{name}' for name in ('valid', *teachers)}
            )
        super().__init__({**own, **(inputs or {})}, loss, init_cfg)
        self.views = tuple(views)
        self.contrast, self.agreement = contrast, agreement
        self.deviation = {name: t.get('deviation', False) for name, t in teachers.items()}
        self.poses = {name for name, settings in teachers.items() if 'joints' in settings}
        self.projectors = nn.ModuleDict()
        self.standardizers = nn.ModuleDict()
        for name, settings in teachers.items():
            channels = 2 * settings['joints'] if name in self.poses else settings['channels']
            channels *= 2 if self.deviation[name] else 1
            self.projectors[name] = make_projector(in_channels, hidden_dim, channels)
            self.standardizers[name] = RunningStandardizer(channels)
        self.weights = MODELS.build({**weights, 'teachers': list(teachers)})

    def terms(self, **inputs: Tensor) -> dict[str, Union[Term, Tensor]]:
        """The weighted loss; of each teacher error, hits, confidence, weight.

        And how alike the second clips (columns) are to the first ones (rows), ``[B, B]``, by the
        student's projections and by the teacher's own embeddings.
        """
        guided = {name: self._guide(name, inputs) for name in self.projectors}
        losses, hits, confidence, seen = (torch.stack(parts) for parts in zip(*guided.values()))
        loss, weights = self.weights(losses, confidence.detach(), seen)
        found: dict[str, Union[Term, Tensor]] = {'loss': Term(loss)}
        for k, name in enumerate(guided):
            counted = seen[k].to(loss.dtype)
            found[f'{name}_error'] = Term(losses[k], counted)
            found[f'{name}_accuracy'] = Term(hits[k], counted)
            found[f'{name}_confidence'] = Term(confidence[k], counted)
            found[f'{name}_weight'] = Term(weights[k])
            found[f'{name}_valid_fraction'] = Term(counted.mean())
        return found

    def predict(self, **inputs: Tensor) -> dict[str, Tensor]:
        """Metrics, and two matrices of similarities a teacher, -1..1, 0 where it finds nobody."""
        found = super().predict(**inputs)
        for name, projector in self.projectors.items():
            first, second = map(normalize, self.teacher_embeddings(name, inputs)[:2])
            student = normalize(projector(inputs[self.views[0]]))
            found[f'{name}_similarity'] = student @ second.T
            found[f'{name}_own_similarity'] = first @ second.T
        return found

    def teacher_embeddings(
        self, name: str, inputs: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """A teacher's standardized embeddings of both views, ``[B, D]``, and what counts.

        The third is bool ``[B]``: whether the teacher has something to tell of both views; where
        not, embeddings are 0. No gradient.
        """
        raw, counts = [], []
        for view in self.views:
            target, valid = inputs[f'{view}_{name}'], inputs[f'{view}_valid']
            if name in self.poses:
                valid = valid[..., None] & (target[..., 2] > 0)  # (B, T, V): each joint by itself
                target = body_frame(target)
            raw.append(pool_target(target, valid, self.deviation[name]))
            counts.append(valid.flatten(1).any(1))
        # Together: views of one video must meet one and the same map.
        seen = counts[0] & counts[1]
        both = self.standardizers[name](torch.cat(raw), seen.repeat(2))
        first, second = both.masked_fill(~seen.repeat(2)[:, None], 0).chunk(2)
        return first, second, seen

    def _guide(self, name: str, inputs: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        """Loss, hits and confidence of one teacher, and which clips count, ``[B]`` each."""
        first, second, seen = self.teacher_embeddings(name, inputs)
        # One view after the other: their batch statistics stay apart.
        ones = [self.projectors[name](inputs[view]) for view in self.views]
        forward = self.loss_module(ones[0], second, seen)
        backward = self.loss_module(ones[1], first, seen)
        own = self.loss_module(first, second, seen)
        found = (forward['loss'] + backward['loss']) / 2
        near = (cosine_similarity(ones[0], first) + cosine_similarity(ones[1], second)) / 2
        loss = self.contrast * found + self.agreement * (1 - near).masked_fill(~seen, 0)
        return loss, (forward['hit'] + backward['hit']) / 2, (-own['loss']).exp(), seen
