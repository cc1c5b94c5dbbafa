"""What sentences find: the clips nearest to each, the right ones marked."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

# Of the frame around a clip: the one that the sentence is about, one of its class, another.
MARKS = {'clip': '#00a843', 'class': '#1e5adc', '': '#b0bec5'}
CAPTIONS = {'clip': 'the clip itself', 'class': 'same class', '': ''}


@dataclass(frozen=True)
class Hit:
    """One clip that a sentence found.

    Attributes:
        name: of the clip.
        strip: uint8 ``[H, W, 3]``, RGB: frames of it, side by side.
        mark: a key of MARKS.
        similarity: cosine, -1 .. 1.
    """

    name: str
    strip: np.ndarray
    mark: str
    similarity: float


def draw_gallery(queries: Sequence[str], hits: Sequence[Sequence[Hit]]) -> Figure:
    """One row a sentence, which stands above the clips that it finds, the nearest first.

    Args:
        queries: sentences, from top to bottom.
        hits: of each sentence, as many for all.
    """
    top = max(len(row) for row in hits)
    aspect = hits[0][0].strip.shape[1] / hits[0][0].strip.shape[0]
    width = top * (0.75 * aspect + 0.2)
    figure = Figure(figsize=(width, 1.6 * len(queries) + 0.2), layout='constrained')
    rows = figure.subfigures(len(queries), 1, squeeze=False)[:, 0]
    for row, query, found in zip(rows, queries, hits):
        lines = textwrap.fill(query, max(40, int(14 * width)))
        row.suptitle(lines, x=0.01, ha='left', fontsize=9)
        axes = row.subplots(1, top, squeeze=False)[0]
        for rank, (axis, hit) in enumerate(zip(axes, found), start=1):
            axis.imshow(hit.strip)
            axis.set(xticks=[], yticks=[])
            axis.set_title(f'{rank}. {hit.name} ({hit.similarity:.2f})', fontsize=7)
            axis.set_xlabel(CAPTIONS[hit.mark], fontsize=7, color=MARKS[hit.mark])
            axis.spines[:].set(color=MARKS[hit.mark], linewidth=2.5 if hit.mark else 0.8)
        for axis in axes[len(found) :]:
            axis.set_axis_off()
    return figure
