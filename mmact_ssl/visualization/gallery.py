"""What sentences or clips find: the clips nearest to each, the right ones marked."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

# Of the frame around a clip: the one that is searched with, the one that the sentence is about,
# another of the same video, one of the same class, any other.
MARKS = {
    'query': '#f57c00',
    'clip': '#00a843',
    'video': '#00a843',
    'class': '#1e5adc',
    '': '#b0bec5',
}
CAPTIONS = {
    'query': 'searches',
    'clip': 'the clip itself',
    'video': 'same video',
    'class': 'same class',
    '': '',
}


@dataclass(frozen=True)
class Hit:
    """One clip that was found, or that searches.

    Attributes:
        name: Of the clip.
        strip: uint8 ``[H, W, 3]``, RGB: frames of it, side by side.
        mark: A key of MARKS.
        similarity: Cosine, -1 .. 1.
    """

    name: str
    strip: np.ndarray
    mark: str
    similarity: float


def draw_gallery(queries: Sequence[str], hits: Sequence[Sequence[Hit]]) -> Figure:
    """One row a search, with what is searched for above the clips found, the nearest first.

    Args:
        queries: Sentences, or whose search it is, from top to bottom.
        hits: Of each search; the clip that searches, if it is one, before those that it finds.
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
        ranks = itertools.count(1)
        for axis, hit in zip(axes, found):
            axis.imshow(hit.strip)
            axis.set(xticks=[], yticks=[])
            title = hit.name
            if hit.mark != 'query':
                title = f'{next(ranks)}. {hit.name} ({hit.similarity:.2f})'
            axis.set_title(title, fontsize=7)
            axis.set_xlabel(CAPTIONS[hit.mark], fontsize=7, color=MARKS[hit.mark])
            axis.spines[:].set(color=MARKS[hit.mark], linewidth=2.5 if hit.mark else 0.8)
        for axis in axes[len(found) :]:
            axis.set_axis_off()
    return figure
