"""Random draw of the samples that keep their labels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mmact_ssl.datasets.shards import split_path
from mmact_ssl.errors import ConfigError


def drop_labels(data_list: Sequence[dict[str, Any]], fraction: float, seed: int) -> None:
    """Draw a labeled part and set the ``label`` of all other samples to -1, in place.

    Args:
        data_list: Samples of a data set with ``filename`` and ``label``, -1 = none.
        fraction, seed: As for :func:`label_subset`, which the evaluation protocols use too.
    """
    labeled = [info for info in data_list if info['label'] >= 0]
    # A video has the same name in a shard as in a folder, and so the same draw.
    paths = [info['filename'] for info in labeled]
    names = [(split_path(path) or ('', path))[1] for path in paths]
    labels = np.array([info['label'] for info in labeled])
    drawn = set(label_subset(names, labels, fraction, seed).tolist())
    for position, info in enumerate(labeled):
        if position not in drawn:
            info['label'] = -1


def label_subset(
    names: Sequence[str], labels: np.ndarray, fraction: float, seed: int
) -> np.ndarray:
    """Draw the labeled part of a training split, the same share of every class.

    Each class keeps ``max(1, round(fraction * size))`` samples. The draw depends only on the names
    of a class and the seed, not on the order of the file or on other classes. With the same seed, a
    smaller fraction is a subset of a larger one.

    Args:
        names: N video names, all different.
        labels: int (N,).
        fraction: 0 < fraction <= 1, else ConfigError.

    Returns:
        int64, sorted positions in ``names``.
    """
    if not 0 < fraction <= 1:
        raise ConfigError(f'label fraction {fraction}: choose 0 < fraction <= 1')
    chosen: list[int] = []
    for members in _drawing_orders(names, labels, seed):
        chosen += members[: max(1, round(fraction * len(members)))]
    return np.sort(np.asarray(chosen, dtype=np.int64))


def draw_labels(
    names: Sequence[str],
    labels: np.ndarray,
    count: int,
    seed: int,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Draw ``count`` samples of each class, from different groups where there are enough.

    Each class keeps ``min(count, size)`` samples. The draw depends on what that of
    :func:`label_subset` depends on, and on the groups. With the same seed, a smaller count is a
    subset of a larger one.

    Args:
        names: N video names, all different.
        labels: int (N,).
        count: At least 1.
        groups: ``(N,)``, equal for samples of one source; None: each sample has its own.

    Returns:
        int64, sorted positions in ``names``.
    """
    chosen: list[int] = []
    for members in _drawing_orders(names, labels, seed):
        if groups is not None:
            # The first sample of each group comes before the second of any.
            rounds = {group: itertools.count() for group in groups[members]}
            members = sorted(members, key=lambda member: next(rounds[groups[member]]))
        chosen += members[:count]
    return np.sort(np.asarray(chosen, dtype=np.int64))


def _drawing_orders(names: Sequence[str], labels: np.ndarray, seed: int) -> Iterator[list[int]]:
    """Yield the positions of each class's samples in the order in which a seed draws them."""
    for label in np.unique(labels):
        members = sorted(np.flatnonzero(labels == label).tolist(), key=lambda i: names[i])
        generator = np.random.default_rng([seed, int(label)])
        yield [members[i] for i in generator.permutation(len(members))]
