"""A student's part maps beside its teacher's."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mmact_ssl.datasets.layouts import PartLayout

OPACITY = 0.6


def part_numbers(maps: np.ndarray) -> np.ndarray:
    """Most probable part at each pixel, int ``[..., h, w]``, 0 = background.

    Args:
        maps: ``[..., C, h, w]``, 0..1; C = 1 is the person alone.
    """
    if maps.shape[-3] == 1:
        return (maps[..., 0, :, :] > 0.5).astype(np.int64)
    return maps.argmax(axis=-3)


def part_colors(layout: PartLayout) -> dict[str, tuple[float, float, float, float]]:
    """A color, RGBA 0..1, for each part but the background, in the order of their numbers."""
    names = [name for name in layout.names if name != 'background']
    palette = matplotlib.colormaps['tab20'].colors  # type: ignore[attr-defined]
    return {name: (*palette[i % len(palette)], OPACITY) for i, name in enumerate(names)}


def draw_part_maps(
    frames: np.ndarray,
    teacher: np.ndarray,
    student: np.ndarray,
    layout: PartLayout,
    titles: Sequence[str],
    columns: int = 4,
) -> Figure:
    """Two rows a clip, the teacher's parts above the student's, over frames spread in time.

    Args:
        frames: uint8 ``[N, T, H, W, 3]``.
        teacher, student: ``[N, T, C, h, w]``, 0..1.
        layout: Of the C parts.
        titles: A name for each clip.
        columns: Frames of a clip that are drawn, all if there are fewer.
    """
    count, time, height, width = frames.shape[:4]
    steps = np.linspace(0, time - 1, min(columns, time)).round().astype(int)
    colors = part_colors(layout)
    table = np.array([(0.0, 0.0, 0.0, 0.0), *colors.values()])
    figure = Figure(figsize=(1.6 * len(steps) + 0.6, 3.4 * count + 0.6), layout='constrained')
    axes = figure.subplots(2 * count, len(steps), squeeze=False)
    for clip in range(count):
        for offset, (name, maps) in enumerate((('teacher', teacher), ('student', student))):
            row = axes[2 * clip + offset]
            for axis, step in zip(row, steps):
                parts = table[part_numbers(maps[clip, step])]
                axis.imshow(frames[clip, step])
                # A pixel of the map covers as many of the frame as their sizes say.
                axis.imshow(parts, extent=(-0.5, width - 0.5, height - 0.5, -0.5))
                axis.set(xticks=[], yticks=[])
            row[0].set_ylabel(f'{titles[clip]}\n{name}', fontsize=7)
    patches = [Patch(color=color, label=name) for name, color in colors.items()]
    figure.legend(handles=patches, loc='outside lower center', ncols=4, fontsize=7)
    return figure
