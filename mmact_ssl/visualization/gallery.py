"""Picture of the clips nearest to sentences or clips, the right ones marked."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

FOUND = 4  # clips that a search shows
# Caption and color of the frame around a clip: the one that is searched with, the one that the
# sentence is about, another of the same video, one of the same class, any other.
MARKS = {
    'query': ('searches', '#f57c00'),
    'clip': ('the clip itself', '#00a843'),
    'video': ('same video', '#00a843'),
    'class': ('same class', '#1e5adc'),
    '': ('', '#b0bec5'),
}


@dataclass(frozen=True)
class Hit:
    """One clip that was found, or that searches.

    Attributes:
        name: Of the clip.
        strip: uint8 ``(H, W, 3)``, RGB: frames of it, side by side.
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
            caption, color = MARKS[hit.mark]
            axis.set_title(title, fontsize=7)
            axis.set_xlabel(caption, fontsize=7, color=color)
            axis.spines[:].set_color(color)
            axis.spines[:].set_linewidth(2.5 if hit.mark else 0.8)
        for axis in axes[len(found) :]:
            axis.set_axis_off()
    return figure


def guidance_neighbors(
    similarities: Mapping[str, tuple[Tensor, Tensor]],
    frames: Sequence[np.ndarray],
    names: Sequence[str],
    queries: int,
) -> tuple[list[str], list[list[Hit]]]:
    """Find for the first clips of a batch the nearest other clips of all its videos.

    Args:
        similarities: Of each teacher the student's and the teacher's own cosines ``(N, N)``, see
            ``TeacherGuidanceHead.terms``.
        frames: Of the clips that search, and of those that are found: uint8 ``(N, T, H, W, 3)``.
            The first, the middle and the last frame are shown.
        names: Of the N videos.
        queries: Clips that search, the first of the batch.

    Returns:
        Titles and rows for :func:`draw_gallery`; for each clip and teacher the teacher's own search
        above the student's.
    """
    searching, found = (
        [np.concatenate(clip[[0, len(clip) // 2, -1]], axis=1) for clip in part] for part in frames
    )
    titles, rows = [], []
    for query in range(min(queries, len(names))):
        for teacher, (student, own) in similarities.items():
            for who, values in (('the teacher itself', own), ('the student', student)):
                titles.append(f'{teacher}: {who}')
                row = [Hit(names[query], searching[query], 'query', 1.0)]
                for place in values[query].argsort(descending=True)[:FOUND].tolist():
                    mark = 'video' if place == query else ''
                    similarity = float(values[query, place])
                    row.append(Hit(names[place], found[place], mark, similarity))
                rows.append(row)
    return titles, rows
