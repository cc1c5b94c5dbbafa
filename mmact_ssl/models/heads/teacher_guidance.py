"""Guidance of a student by several frozen teachers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.losses import info_nce
from mmact_ssl.models.necks import RunningStandardizer
from mmact_ssl.models.networks.projector import make_projector
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead


@MODELS.register_module()
class TeacherGuidanceHead(PretextHead):
    """Let the student tell which other clip is of the same video, as each teacher sees it.

    With ``s(A)``, ``s(B)`` the student's features of two clips of a video, ``t_k(A)``, ``t_k(B)``
    those of teacher k and ``p_k`` a projector::

        contrast_k  = (  info_nce(p_k(s(A)), t_k(B))  +  info_nce(p_k(s(B)), t_k(A))  ) / 2
        agreement_k = (  1 - cos(p_k(s(A)), t_k(A))   +   1 - cos(p_k(s(B)), t_k(B))  ) / 2
        loss_k      = contrast * contrast_k  +  agreement * agreement_k
        loss        = the teachers' losses by their weights

    so that clips of a video agree between teacher and student and those of different videos do not.
    Source: DTG-Net (arXiv 2006.07609) asks for this consistency and weighs its teachers
    differently; InfoNCE, agreement, projectors and the kinds of weights are our choice. With few
    videos a student soon tells them apart by anything; what it agrees with says more. A contrast
    of student against student is a task of its own, :class:`ContrastHead`.

    ``t_k`` is the mean over the clip's valid frames of what the teacher says of each, standardized
    (:class:`RunningStandardizer`), because features behind a ReLU all point one way. Frames in
    which a pose teacher finds nobody are not valid for it, nor for a joint those in which it does
    not know that joint; a joint that it never knows stays at the body's center. A video of which it
    finds nobody in one of the clips has no loss with it and is nobody's negative. A teacher's
    confidence, which one kind of weights reads, is the share of the softmax that its own ``t_k(A)``
    gives to its own ``t_k(B)`` among the clips of the batch.

    Args:
        in_channels: Size of the pooled features.
        teachers: Name -> ``dict(channels=..., deviation=False)``, channels the number of values
            that the target ``'<view>_<name>'`` has per frame; or ``dict(joints=..., ...)`` for a
            pose teacher, whose poses are moved into the body's frame, see :func:`body_frame`. With
            ``deviation`` the values' deviation over the clip's frames is appended to their mean:
            what moves.
        views: The two clips.
        weights: Config of a :class:`TeacherWeights`, without its teachers.
        contrast: Weight of finding the other clip of the video, ``>= 0``.
        agreement: Weight of saying what the teacher says of the same clip, ``>= 0``.
        temperature: Of the contrast, ``> 0``.
        hidden_dim: Of the projectors.
        reads: Argument -> source, where that is not ``'<view>.pooled'``, ``'<view>_valid'`` or
            ``'<view>_<teacher>'``.

    Raises:
        ConfigError: No teacher, not two views, or neither contrast nor agreement.
    """

    def __init__(
        self,
        in_channels: int,
        teachers: Mapping[str, Mapping[str, Any]],
        views: Sequence[str] = ('clip', 'clip_b'),
        weights: Optional[dict] = None,
        contrast: float = 1.0,
        agreement: float = 0.0,
        temperature: float = 0.1,
        hidden_dim: int = 512,
        reads: Optional[dict[str, str]] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        teachers = {name: dict(settings) for name, settings in teachers.items() if settings}
        if not teachers or isinstance(views, str) or len(set(views)) != 2:
            raise ConfigError(
                f'TeacherGuidanceHead: views={views!r}, teachers={sorted(teachers)}; name two '
                'views and at least one teacher'
            )
        if min(contrast, agreement) < 0 or contrast + agreement == 0:
            raise ConfigError(
                f'TeacherGuidanceHead: contrast={contrast}, agreement={agreement}; let one of them '
                'be greater than 0 and none less'
            )
        usual = {view: f'{view}.pooled' for view in views}
        for view in views:
            names = ('valid', *teachers)
            usual.update({f'{view}_{name}': f'{view}_{name}' for name in names})
        super().__init__({**usual, **(reads or {})}, init_cfg)
        self.views = tuple(views)
        self.contrast, self.agreement = contrast, agreement
        self.temperature = temperature
        self.deviation = {name: t.get('deviation', False) for name, t in teachers.items()}
        self.poses = {name for name, settings in teachers.items() if 'joints' in settings}
        self.projectors = nn.ModuleDict()
        self.standardizers = nn.ModuleDict()
        for name, settings in teachers.items():
            channels = 2 * settings['joints'] if name in self.poses else settings['channels']
            channels *= 2 if self.deviation[name] else 1
            self.projectors[name] = make_projector(in_channels, hidden_dim, channels)
            self.standardizers[name] = RunningStandardizer(channels)
        self.weights = MODELS.build(
            {**(weights or dict(type='FixedTeacherWeights')), 'teachers': list(teachers)}
        )

    def teacher_embeddings(
        self, name: str, sources: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """A teacher's standardized embeddings of both views, ``[B, D]``, and what counts.

        The third is bool ``[B]``: whether the teacher has something to say of both views; where
        not, embeddings are 0. No gradient.
        """
        raw, counts = [], []
        for view in self.views:
            target, valid = sources[f'{view}_{name}'], sources[f'{view}_valid']
            if name in self.poses:
                valid = valid[..., None] & (target[..., 2] > 0)  # (B, T, V): each joint by itself
                target = body_frame(target)
            raw.append(pool_target(target, valid, self.deviation[name]))
            counts.append(valid.flatten(1).any(1))
        standardize = cast(RunningStandardizer, self.standardizers[name])
        expected = standardize.mean.numel()
        if raw[0].shape[1] != expected:
            raise ConfigError(
                f'TeacherGuidanceHead: teachers.{name} gives {raw[0].shape[1]} values a clip, but '
                f'{expected} are expected: correct teachers.{name}.channels (or joints, deviation)'
            )
        # Together: views of one video must meet one and the same map.
        seen = counts[0] & counts[1]
        both = standardize(torch.cat(raw), seen.repeat(2))
        first, second = both.masked_fill(~seen.repeat(2)[:, None], 0).chunk(2)
        return first, second, seen

    def guide(self, name: str, sources: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        """Loss, hits and confidence of one teacher, and which clips count, ``[B]`` each."""
        first, second, seen = self.teacher_embeddings(name, sources)
        projector = self.projectors[name]
        # One view after the other: their batch statistics stay apart.
        ones = [projector(sources[view]) for view in self.views]
        forward = info_nce(ones[0], second, self.temperature, seen)
        backward = info_nce(ones[1], first, self.temperature, seen)
        own = info_nce(first, second, self.temperature, seen)
        found = (forward['loss'] + backward['loss']) / 2
        near = (cosine_similarity(ones[0], first) + cosine_similarity(ones[1], second)) / 2
        loss = self.contrast * found + self.agreement * (1 - near).masked_fill(~seen, 0)
        return loss, (forward['hit'] + backward['hit']) / 2, (-own['loss']).exp(), seen

    def similarities(self, **sources: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """How like each teacher's other clips (columns) the first ones (rows) are.

        Returns:
            Of each teacher two matrices ``[B, B]``, -1..1: as the student's projections have it,
            and as the teacher's own embeddings do; 0 where the teacher has nothing to say.
        """
        found = {}
        for name, projector in self.projectors.items():
            first, second = map(normalize, self.teacher_embeddings(name, sources)[:2])
            student = normalize(projector(sources[self.views[0]]))
            found[name] = student @ second.T, first @ second.T
        return found

    def loss(self, **sources: Tensor) -> dict[str, Tensor]:
        """The weighted loss; of each teacher its error, its weight and how often it is met.

        Args:
            sources: View -> ``[B, C]``; ``'<view>_valid'`` -> bool ``[B, T]``;
                ``'<view>_<teacher>'`` -> ``[B, T, ...]``, or ``[B, 1, ...]`` from a teacher that
                reads whole clips.

        Raises:
            ConfigError: A teacher gives another number of values than ``teachers`` says.
        """
        guided = {name: self.guide(name, sources) for name in self.projectors}
        losses, hits, confidence, counts = (torch.stack(parts) for parts in zip(*guided.values()))
        loss, weights = self.weights(losses, confidence.detach(), counts)
        number = counts.sum(1).clamp(min=1)
        logs = {'loss': loss}
        for k, name in enumerate(guided):
            logs[f'{name}_error'] = losses[k].sum() / number[k]
            logs[f'{name}_accuracy'] = hits[k].sum() / number[k]
            logs[f'{name}_weight'] = weights[k]
            logs[f'{name}_confidence'] = (confidence[k] * counts[k]).sum() / number[k]
            if name in self.poses:
                logs[f'{name}_counted'] = counts[k].to(loss.dtype).mean()
        return logs

    def predict(self, **sources: Tensor) -> dict[str, Tensor]:
        """Per clip and teacher the error, whether the right clip was found, and confidence.

        NaN for clips of which the teacher has nothing to say.
        """
        found = {}
        for name in self.projectors:
            *values, seen = self.guide(name, sources)
            for what, value in zip(('error', 'accuracy', 'confidence'), values):
                found[f'{name}_{what}'] = value.masked_fill(~seen, float('nan'))
        return found


def pool_target(target: Tensor, valid: Tensor, deviation: bool = False) -> Tensor:
    """One embedding of a clip from a teacher's targets of its frames.

    Args:
        target: ``[B, T, ...]``, or ``[B, 1, ...]``, one for the whole clip.
        valid: bool ``[B, T]``, False where a frame only fills up the clip; or ``[B, T, V]``, V the
            target's third axis, where its entries do not count in the same frames.
        deviation: Append the deviation over the valid frames.

    Returns:
        float32 ``[B, D]``, D the product of the other axes, twice that with the deviation; 0 for
        what has no valid frame.
    """
    values = target.detach().float()  # (B, T or 1, ...)
    if values.shape[1] == 1:
        valid = valid[:, :1]
    weight = valid.to(values.dtype).view(*valid.shape, *[1] * (values.ndim - valid.ndim))
    weight = weight / weight.sum(1, keepdim=True).clamp(min=1)
    mean = (values * weight).sum(1)
    if not deviation:
        return mean.flatten(1)
    spread = ((values - mean[:, None]).square() * weight).sum(1).sqrt()
    return torch.cat([mean.flatten(1), spread.flatten(1)], dim=1)


def body_frame(poses: Tensor) -> Tensor:
    """Joints relative to the body's center, in units of its size: alike whatever the crop.

    With ``w_v`` the scores, ``c = sum of w_v p_v / sum of w_v`` and
    ``size^2 = sum of w_v |p_v - c|^2 / sum of w_v``, a joint becomes ``(p_v - c) / size``. Our
    choice.

    Args:
        poses: ``[B, T, V, 3]``: x, y, as fractions of the view's image, and score, 0 = unknown.

    Returns:
        float32 ``[B, T, V, 2]``; 0 for unknown joints.
    """
    points, score = poses.detach().float().split([2, 1], dim=-1)
    weight = score / score.sum(2, keepdim=True).clamp(min=1e-6)
    relative = points - (weight * points).sum(2, keepdim=True)
    size = (weight * relative.square().sum(-1, keepdim=True)).sum(2, keepdim=True).sqrt()
    return torch.where(score > 0, relative / size.clamp(min=1e-3), torch.zeros_like(relative))
