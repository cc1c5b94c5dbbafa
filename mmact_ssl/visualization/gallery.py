"""Picture of the clips nearest to others, with those of the same video marked."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

FOUND = 4  # clips shown for a search
# Caption and color of the frame around a clip: the query, a clip of the same video, any other.
MARKS = {
    'query': ('searches', '#f57c00'),
    'video': ('same video', '#00a843'),
    '': ('', '#b0bec5'),
}


@dataclass(frozen=True)
class Hit:
    """One clip of a row: a result of the search, or the query.

    Attributes:
        name: Name of the clip.
        strip: uint8 ``(H, W, 3)`` RGB, frames of the clip side by side.
        mark: A key of MARKS.
        similarity: Cosine, -1 .. 1.
    """

    name: str
    strip: np.ndarray
    mark: str
    similarity: float


def draw_gallery(queries: Sequence[str], hits: Sequence[Sequence[Hit]]) -> Figure:
    """Draw one row a search, with a title above the clips, nearest first.

    Args:
        queries: Title of each search, such as its sentence.
        hits: Clips of each search; a clip that is the query comes first.
    """
    top = max(len(row) for row in hits)
    aspect = hits[0][0].strip.shape[1] / hits[0][0].strip.shape[0]
    width = top * (0.75 * aspect + 0.2)
    figure = Figure(figsize=(width, 1.6 * len(queries) + 0.2), layout='constrained')
    rows = figure.subfigures(len(queries), 1, squeeze=False)[:, 0]
    for row, query, clips in zip(rows, queries, hits):
        lines = textwrap.fill(query, max(40, int(14 * width)))
        row.suptitle(lines, x=0.01, ha='left', fontsize=9)
        axes = row.subplots(1, top, squeeze=False)[0]
        ranks = itertools.count(1)
        for axis, hit in zip(axes, clips):
            axis.imshow(hit.strip)
            axis.set(xticks=[], yticks=[])
            title = hit.name
            if hit.mark != 'query':
                title = f'{next(ranks)}. {hit.name} ({hit.similarity:.2f})'
            caption, color = MARKS[hit.mark]
            axis.set_title(title, fontsize=7)
            axis.set_xlabel(caption, fontsize=7, color=color)
            axis.spines[:].set_color(color)
            axis.spines[:].set_linewidth(2.5 if hit.mark else 0.8)
        for axis in axes[len(clips) :]:
            axis.set_axis_off()
    return figure


def nearest_clips(
    searches: Mapping[str, Tensor], frames: Sequence[np.ndarray], names: Sequence[str], queries: int
) -> tuple[list[str], list[list[Hit]]]:
    """Find the second clips nearest to the first clips of some videos, in each search.

    Args:
        searches: Title -> cosines ``(N, N)`` of first clips (rows) with second clips (columns).
        frames: Frames of the N first and the N second clips, uint8 ``(N, T, H, W, 3)``. The first,
            the middle and the last frame are shown.
        names: Names of the N videos.
        queries: Number of videos that search, the first ones of the batch.

    Returns:
        Titles and rows for :func:`draw_gallery`; for each video all searches.
    """
    first, second = (
        [np.concatenate(clip[[0, len(clip) // 2, -1]], axis=1) for clip in part] for part in frames
    )
    titles, rows = [], []
    for query in range(min(queries, len(names))):
        for title, values in searches.items():
            titles.append(title)
            row = [Hit(names[query], first[query], 'query', 1.0)]
            for place in values[query].argsort(descending=True)[:FOUND].tolist():
                mark = 'video' if place == query else ''
                row.append(Hit(names[place], second[place], mark, float(values[query, place])))
            rows.append(row)
    return titles, rows
