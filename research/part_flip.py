#!/usr/bin/env python
"""Test if a student that distills a parser distinguishes left from right.

    python research/part_flip.py CONFIG CHECKPOINT --num-clips 32

prints the overlap of its part maps of test clips with the teacher's, and with the mirrored clips'.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import mmact_ssl  # noqa: F401  # isort: skip  (the fixes come before mmengine)
import torch
from mmengine.registry import init_default_scope
from torch import Tensor

from mmact_ssl.datasets.layouts import PartLayout
from mmact_ssl.engine.config_reading import read_config
from mmact_ssl.errors import one_line_errors
from mmact_ssl.io.weights import load_trained, read_trained
from mmact_ssl.models.heads.parsing_distillation import ParsingDistillationHead
from mmact_ssl.models.losses.part_map_divergence import as_distribution, part_overlap
from mmact_ssl.models.pretrainer import MultiTaskPretrainer
from mmact_ssl.registry import MODELS
from mmact_ssl.visualization.predictions import Predictions, find_part_layout
from mmact_ssl_cli import Parser


@torch.no_grad()
def compare_with_mirror(
    model: MultiTaskPretrainer, task: str, data: Mapping[str, Any], layout: PartLayout
) -> dict[str, Tensor]:
    """Predict the parts in clips and in their mirror images.

    Args:
        model: Model in evaluation mode.
        task: Name of its ``ParsingDistillationHead``.
        data: Output of the model's preprocessor: ``inputs``, ``targets``, ``data_samples``. Cached
            maps of the teacher are mirrored with the clip; an online teacher runs again.
        layout: Layout of the parts, see :func:`find_part_layout`.

    Returns:
        Overlaps of N clips, ``(N,)`` each, 0..1: ``teacher``, with the teacher's maps, NaN if both
        show nobody; ``mirrored``, the same for the mirrored clips; and :func:`flip_agreement`.
    """
    head = model.tasks[task]
    _, view, target = head.inputs['parts'].split('.')

    def predict(inputs: Mapping, targets: Mapping) -> tuple[Tensor, dict[str, Tensor]]:
        available = model.head_inputs(inputs, targets, data['data_samples'])
        chosen = {argument: available[source] for argument, source in head.inputs.items()}
        return chosen['parts'], head.predict(**chosen)

    teacher, own = predict(data['inputs'], data['targets'])
    inputs = {**data['inputs'], view: data['inputs'][view].flip(-1)}
    targets = dict(data['targets'])
    if target in targets[view]:
        targets[view] = {**targets[view], target: mirror_part_maps(teacher, layout)}
    _, mirrored = predict(inputs, targets)
    flipped = flip_agreement(own['maps'], mirrored['maps'], layout)
    return dict(teacher=own['mean_iou'], mirrored=mirrored['mean_iou'], **flipped)


def describe(overlaps: Mapping[str, Tensor]) -> str:
    """Means over the clips of :func:`compare_with_mirror`."""
    means = {name: f'{value.nanmean():.2f}' for name, value in overlaps.items()}
    return (
        f'mean IoU of {len(overlaps["teacher"])} clips: with the teacher {means["teacher"]}, '
        f'mirrored {means["mirrored"]}; with the mirrored clip {means["exchanged"]}, or if left '
        f'and right are not exchanged {means["not_exchanged"]}'
    )


def mirror_part_maps(maps: Tensor, layout: PartLayout, exchange: bool = True) -> Tensor:
    """Part maps ``(..., C, h, w)`` of the mirrored clip, left and right parts exchanged or not."""
    mirrored = maps.flip(-1)
    return mirrored[..., layout.flip_indices.tolist(), :, :] if exchange else mirrored


def flip_agreement(maps: Tensor, of_mirrored: Tensor, layout: PartLayout) -> dict[str, Tensor]:
    """Overlap of the maps of a clip with those of its mirror image, mirrored back.

    A student that knows the sides agrees after an exchange of left and right. A student that uses
    the place in the picture agrees without it. Our choice.

    Args:
        maps, of_mirrored: ``(B, T, C, h, w)``, 0..1.
        layout: Layout of the C parts.

    Returns:
        ``exchanged`` and ``not_exchanged``: ``(B,)``, 0..1, see :func:`part_overlap`; equal if the
        layout has no sides.
    """
    own = as_distribution(maps)
    has_parts = own.sum(2) > 0

    def overlap(exchange: bool) -> Tensor:
        back = mirror_part_maps(of_mirrored, layout, exchange)
        return part_overlap(as_distribution(back), own, has_parts)

    return dict(exchanged=overlap(True), not_exchanged=overlap(False))


def main(argv: list[str] | None = None) -> None:
    """Print the comparison of each task that distills a parser."""
    parser = Parser(description=__doc__)
    parser.add_argument('config', help='config of the pre-training')
    parser.add_argument('checkpoint', help='checkpoint of that training')
    parser.add_argument('--num-clips', type=int, default=32)
    parser.add_argument('--seed', type=int, default=0, help='which clips')
    args = parser.parse_args(argv)
    with one_line_errors():
        cfg = read_config(args.config)
        init_default_scope('mmact_ssl')
        model = MODELS.build(cfg.model).eval()
        load_trained(model, *read_trained(args.checkpoint))
        clips = Predictions(model, cfg, args.num_clips, args.seed)
        for task, head in model.tasks.items():
            if isinstance(head, ParsingDistillationHead):
                layout = find_part_layout(model, task, clips.pipeline)
                overlaps = compare_with_mirror(model, task, clips.data, layout)
                print(f'{task}: {describe(overlaps)}')


if __name__ == '__main__':
    main()
