"""Clips that a guided student and its teachers find, ready to be drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from mmact_ssl.visualization.gallery import Hit


def guidance_neighbors(
    similarities: Mapping[str, tuple[Tensor, Tensor]],
    frames: Sequence[np.ndarray],
    names: Sequence[str],
    queries: int = 3,
    top: int = 4,
) -> tuple[list[str], list[list[Hit]]]:
    """Let the first clips of a batch search the other clips of all its videos.

    Args:
        similarities: Of each teacher the student's and the teacher's own cosines ``[N, N]``, see
            ``TeacherGuidanceHead.terms``.
        frames: Of the clips that search, and of those that are found: uint8 ``[N, T, H, W, 3]``.
            The first, the middle and the last frame are shown.
        names: Of the N videos.
        queries: Clips that search, the first of the batch.
        top: Clips that each finds.

    Returns:
        Titles and rows: the clip that searches, then the clips found, the nearest first; for each
        clip and teacher the teacher's own search above the student's.
    """
    searching, found = frames
    titles, rows = [], []
    for query in range(min(queries, len(names))):
        for teacher, (student, own) in similarities.items():
            for who, values in (('the teacher itself', own), ('the student', student)):
                titles.append(f'{teacher}: {who}')
                row = [Hit(names[query], _strip(searching[query]), 'query', 1.0)]
                for place in values[query].argsort(descending=True)[:top].tolist():
                    mark = 'video' if place == query else ''
                    similarity = float(values[query, place])
                    row.append(Hit(names[place], _strip(found[place]), mark, similarity))
                rows.append(row)
    return titles, rows


def _strip(frames: np.ndarray) -> np.ndarray:
    """Three frames of ``[T, H, W, 3]`` side by side."""
    return np.concatenate(frames[[0, len(frames) // 2, -1]], axis=1)
