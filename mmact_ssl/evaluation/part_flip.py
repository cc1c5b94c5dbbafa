"""How well a student tells parts, and left from right: of a mirrored clip it must say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, cast

import torch
from torch import Tensor

from mmact_ssl.datasets.layouts import PART_LAYOUTS, PartLayout
from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads import ParsingDistillationHead
from mmact_ssl.models.losses import as_distribution, part_overlap
from mmact_ssl.models.pretrainer import MultiTaskPretrainer
from mmact_ssl.models.teachers.base import BaseTeacher


@dataclass(frozen=True)
class PartJudgment:
    """What a student says of the parts in N clips and in their mirror images.

    Attributes:
        teacher, student: Part maps of the clips, ``[N, T, C, h, w]``, 0..1.
        overlap: Of the student's with the teacher's, ``[N]``, 0..1; NaN where both show
            nobody.
        of_mirrored: The same of the mirrored clips with the mirrored maps, ``[N]``.
        flipped: See :func:`flip_agreement`.
    """

    teacher: Tensor
    student: Tensor
    overlap: Tensor
    of_mirrored: Tensor
    flipped: dict[str, Tensor]

    def summary(self) -> str:
        """All of it in one line."""
        means = {name: value.nanmean() for name, value in self.flipped.items()}
        return (
            f'mean IoU of {len(self.overlap)} clips: with the teacher '
            f'{self.overlap.nanmean():.2f}, mirrored {self.of_mirrored.nanmean():.2f}; with the '
            f'mirrored clip {means["exchanged"]:.2f}, were left and right not exchanged '
            f'{means["not_exchanged"]:.2f}'
        )


@torch.no_grad()
def judge_part_maps(
    model: MultiTaskPretrainer, task: str, data: Mapping[str, Any], layout: PartLayout
) -> PartJudgment:
    """Let a student tell the parts in clips and in their mirror images.

    Args:
        model: In evaluation mode.
        task: Of its :class:`ParsingDistillationHead`.
        data: What the model's preprocessor makes: ``inputs``, ``targets``, ``data_samples``. The
            teacher's maps are mirrored with the clip, or asked for again where it works online.
        layout: Of the parts, see :func:`find_part_layout`.
    """
    head = cast(ParsingDistillationHead, model.heads[task])
    teacher, own = _predict(model, head, data)
    view = head.reads['features'].split('.')[0]
    inputs = {**data['inputs'], view: data['inputs'][view].flip(-1)}
    targets = dict(data['targets'])
    if head.reads['parts'] in targets:
        targets[head.reads['parts']] = mirror_part_maps(teacher, layout)
    mirrored = _predict(model, head, {**data, 'inputs': inputs, 'targets': targets})[1]
    return PartJudgment(
        teacher=teacher,
        student=own['maps'],
        overlap=own['mean_iou'],
        of_mirrored=mirrored['mean_iou'],
        flipped=flip_agreement(own['maps'], mirrored['maps'], layout),
    )


def _predict(
    model: MultiTaskPretrainer, head: ParsingDistillationHead, data: Mapping[str, Any]
) -> tuple[Tensor, dict[str, Tensor]]:
    """The teacher's maps, and what the head predicts."""
    sources = model.sources(data['inputs'], data['targets'], data['data_samples'])
    reads = {argument: sources[source] for argument, source in head.reads.items()}
    return reads['parts'], head.predict(**reads)


def find_part_layout(
    model: MultiTaskPretrainer, task: str, pipeline: Sequence[Mapping[str, Any]]
) -> PartLayout:
    """The order of the parts that a head learns, as its teacher or the pipeline names it.

    Args:
        model: With the teacher, if it works online.
        task: Of its :class:`ParsingDistillationHead`.
        pipeline: Of the data set, with the cache's ``LoadTargets``, if there is one.

    Raises:
        ConfigError: Neither names a layout.
    """
    source = cast(ParsingDistillationHead, model.heads[task]).reads['parts']
    target = source.partition('_')[2]  # <view>_<target>
    name: Optional[str] = None
    if target in model.teachers:
        name = cast(BaseTeacher, model.teachers[target]).layout
    for step in pipeline:
        if step['type'].endswith('LoadTargets') and step.get('target') == target:
            name = step.get('layout')
    if name not in PART_LAYOUTS:
        raise ConfigError(
            f'the layout of {source!r} is {name!r}, which does not say what the parts are: give '
            f'LoadTargets, or the teacher in model.teachers.{target}, one of '
            f'{", ".join(PART_LAYOUTS)}'
        )
    return PART_LAYOUTS[name]


def mirror_part_maps(maps: Tensor, layout: PartLayout, exchange: bool = True) -> Tensor:
    """Part maps of the mirrored clip, ``[..., C, h, w]``.

    Args:
        maps: ``[..., C, h, w]``.
        layout: Of the C parts.
        exchange: Give what lies left to the right and the other way round, as a mirror does.
    """
    mirrored = maps.flip(-1)
    if not exchange:
        return mirrored
    return mirrored.index_select(-3, torch.as_tensor(layout.flip_indices, device=maps.device))


def flip_agreement(maps: Tensor, of_mirrored: Tensor, layout: PartLayout) -> dict[str, Tensor]:
    """Overlap of the maps of a clip with those of its mirror image, mirrored back.

    A student that knows the sides agrees with left and right exchanged and not without; one that
    goes by the place in the picture agrees without. Our choice.

    Args:
        maps, of_mirrored: ``[B, T, C, h, w]``, 0..1.
        layout: Of the C parts.

    Returns:
        ``exchanged`` and ``not_exchanged``: ``[B]``, 0..1, as :func:`part_overlap`; both are the
        same where the layout has no sides.
    """
    own = as_distribution(maps)
    counted = own.sum(2) > 0
    return {
        name: part_overlap(
            as_distribution(mirror_part_maps(of_mirrored, layout, exchange)), own, counted
        )
        for name, exchange in (('exchanged', True), ('not_exchanged', False))
    }
