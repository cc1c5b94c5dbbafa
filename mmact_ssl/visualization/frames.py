"""Generated frames beside the real ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure


def draw_generated_frames(
    real: dict[str, np.ndarray], generated: dict[str, np.ndarray], titles: Sequence[str]
) -> Figure:
    """Two rows a clip, real above generated; columns are time, current frames before future ones.

    Args:
        real, generated: ``'current'`` and ``'future'``: uint8 ``[N, T, R, R, 3]``.
        titles: A name for each clip.
    """
    count, current = real['current'].shape[:2]
    total = current + real['future'].shape[1]
    figure = Figure(figsize=(1.15 * total, 2.4 * count + 0.4), layout='constrained')
    axes = figure.subplots(2 * count, total, squeeze=False)
    for index in range(count):
        for offset, (kind, source) in enumerate((('real', real), ('generated', generated))):
            row = 2 * index + offset
            strip = np.concatenate([source['current'][index], source['future'][index]])
            for step, frame in enumerate(strip):
                axes[row, step].imshow(frame)
                axes[row, step].set(xticks=[], yticks=[])
                if row == 0:
                    part, first = ('current', 0) if step < current else ('future', current)
                    axes[row, step].set_title(f'{part} {step - first + 1}', fontsize=8)
            axes[row, 0].set_ylabel(f'{titles[index]}\n{kind}', fontsize=6)
    return figure
