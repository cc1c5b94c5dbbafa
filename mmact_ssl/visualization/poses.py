"""Predicted against true poses over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmact_ssl.datasets.layouts import LAYOUTS

COLOURS = dict(true='#00c853', predicted='#ff6d00', last='#b0bec5')


def draw_predicted_poses(
    frames: np.ndarray,
    true: np.ndarray,
    predicted: np.ndarray,
    last: np.ndarray,
    layout: str,
    titles: Sequence[str],
) -> Figure:
    """One row a clip, one column a future frame: true, predicted and last observed pose.

    Args:
        frames: uint8 ``[N, T, H, W, 3]``, the future frames.
        true: ``[N, T, V, 3]``: x, y as fractions of the frame, visibility (0: joint not drawn).
        predicted: ``[N, T, V, 2]``, fractions of the frame.
        last: ``[N, V, 3]``, the last observed pose, which "repeat the last pose" would predict.
        layout: Name of the skeleton layout.
        titles: A name for each clip.
    """
    count, time, height, width = frames.shape[:4]
    figure = Figure(figsize=(1.6 * time, 1.75 * count + 0.5), layout='constrained')
    axes = figure.subplots(count, time, squeeze=False)
    for row in range(count):
        for step in range(time):
            axis = axes[row, step]
            axis.imshow(frames[row, step], alpha=0.6)
            axis.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
            seen = true[row, step, :, 2] > 0
            size = (width, height)
            for name, pose, shown in (
                ('last', last[row, :, :2], last[row, :, 2] > 0),
                ('true', true[row, step, :, :2], seen),
                ('predicted', predicted[row, step], seen),
            ):
                _draw_skeleton(axis, pose * size, shown, layout, COLOURS[name], name)
            if row == 0:
                axis.set_title(f'future {step + 1}', fontsize=8)
        axes[row, 0].set_ylabel(titles[row], fontsize=7)
    # The first picture may show no pose at all.
    names = {line.get_label(): line for axis in axes.flat for line in axis.get_lines()}
    figure.legend(names.values(), names.keys(), loc='outside lower center', ncols=3, fontsize=8)
    return figure


def _draw_skeleton(
    axis: Axes, pose: np.ndarray, seen: np.ndarray, layout: str, color: str, label: str
) -> None:
    for start, end in LAYOUTS[layout].limbs:
        if seen[start] and seen[end]:
            axis.plot(*pose[[start, end]].T, color=color, linewidth=1.5, label=label)
