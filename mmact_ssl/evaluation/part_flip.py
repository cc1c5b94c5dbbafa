"""A student's knowledge of parts, and of left and right: mirrored clips have mirrored parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from mmact_ssl.datasets.layouts import PART_LAYOUTS, PartLayout
from mmact_ssl.errors import ConfigError
from mmact_ssl.models.losses.part_map_divergence import as_distribution, part_overlap
from mmact_ssl.models.pretrainer import MultiTaskPretrainer
from mmact_ssl.models.teachers.base import BaseTeacher


@dataclass(frozen=True)
class PartComparison:
    """A student's part maps of N clips and of their mirror images.

    Attributes:
        teacher, student: Part maps of the clips, ``(N, T, C, h, w)``, 0..1.
        overlap: Of the student's with the teacher's, ``(N,)``, 0..1; NaN where both show nobody.
        of_mirrored: The same of the mirrored clips with the mirrored maps, ``(N,)``.
        flipped: See :func:`flip_agreement`.
    """

    teacher: Tensor
    student: Tensor
    overlap: Tensor
    of_mirrored: Tensor
    flipped: dict[str, Tensor]

    def __str__(self) -> str:
        means = {name: value.nanmean() for name, value in self.flipped.items()}
        return (
            f'mean IoU of {len(self.overlap)} clips: with the teacher '
            f'{self.overlap.nanmean():.2f}, mirrored {self.of_mirrored.nanmean():.2f}; with the '
            f'mirrored clip {means["exchanged"]:.2f}, or if left and right are not exchanged '
            f'{means["not_exchanged"]:.2f}'
        )


@torch.no_grad()
def compare_with_mirror(
    model: MultiTaskPretrainer, task: str, data: Mapping[str, Any], layout: PartLayout
) -> PartComparison:
    """Predict the parts in clips and in their mirror images.

    Args:
        model: In evaluation mode.
        task: Of its ``ParsingDistillationHead``.
        data: What the model's preprocessor makes: ``inputs``, ``targets``, ``data_samples``. The
            teacher's maps are mirrored with the clip, or asked for again where it works online.
        layout: Of the parts, see :func:`find_part_layout`.
    """
    head = model.tasks[task]
    _, view, target = head.inputs['parts'].split('.')

    def predict(inputs: Mapping, targets: Mapping) -> tuple[Tensor, dict[str, Tensor]]:
        found = model.head_inputs(inputs, targets, data['data_samples'])
        chosen = {argument: found[source] for argument, source in head.inputs.items()}
        return chosen['parts'], head.predict(**chosen)

    teacher, own = predict(data['inputs'], data['targets'])
    inputs = {**data['inputs'], view: data['inputs'][view].flip(-1)}
    targets = dict(data['targets'])
    if target in targets[view]:
        targets[view] = {**targets[view], target: mirror_part_maps(teacher, layout)}
    _, mirrored = predict(inputs, targets)
    return PartComparison(
        teacher=teacher,
        student=own['maps'],
        overlap=own['mean_iou'],
        of_mirrored=mirrored['mean_iou'],
        flipped=flip_agreement(own['maps'], mirrored['maps'], layout),
    )


def find_part_layout(
    model: MultiTaskPretrainer, task: str, pipeline: Sequence[Mapping[str, Any]]
) -> PartLayout:
    """Find the order of the parts that a head learns.

    Its online teacher names it, or the ``LoadTargets`` of the data set's pipeline.

    Raises:
        ConfigError: Neither names a layout.
    """
    source = model.tasks[task].inputs['parts']
    target = source.split('.')[2]
    steps = [step for step in pipeline if step['type'].endswith('LoadTargets')]
    names = [step.get('layout') for step in steps if step.get('target') == target]
    if target in model.teachers:
        names.append(cast(BaseTeacher, model.teachers[target]).layout)
    name = names[0] if names else None
    if name not in PART_LAYOUTS:
        raise ConfigError(
            f'the layout of {source!r} is {name!r}: give LoadTargets, or model.teachers.{target}, '
            f'one of {", ".join(PART_LAYOUTS)}'
        )
    return PART_LAYOUTS[name]


def mirror_part_maps(maps: Tensor, layout: PartLayout, exchange: bool = True) -> Tensor:
    """Part maps ``(..., C, h, w)`` of the mirrored clip, left and right parts exchanged or not."""
    mirrored = maps.flip(-1)
    return mirrored[..., layout.flip_indices.tolist(), :, :] if exchange else mirrored


def flip_agreement(maps: Tensor, of_mirrored: Tensor, layout: PartLayout) -> dict[str, Tensor]:
    """Overlap of the maps of a clip with those of its mirror image, mirrored back.

    A student that knows the sides agrees with left and right exchanged and not without; one that
    goes by the place in the picture agrees without. Our choice.

    Args:
        maps, of_mirrored: ``(B, T, C, h, w)``, 0..1.
        layout: Of the C parts.

    Returns:
        ``exchanged`` and ``not_exchanged``: ``(B,)``, 0..1, as :func:`part_overlap`; both are the
        same where the layout has no sides.
    """
    own = as_distribution(maps)
    counted = own.sum(2) > 0

    def overlap(exchange: bool) -> Tensor:
        back = mirror_part_maps(of_mirrored, layout, exchange)
        return part_overlap(as_distribution(back), own, counted)

    return dict(exchanged=overlap(True), not_exchanged=overlap(False))
