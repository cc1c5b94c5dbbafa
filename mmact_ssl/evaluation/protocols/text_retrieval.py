"""Retrieval of skeleton clips by sentences about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mmact_ssl.errors import DataError
from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.neighbors import below_all
from mmact_ssl.evaluation.shared_space import SharedSpace, open_texts
from mmact_ssl.reporting.provenance import portable_path
from mmact_ssl.targets.inspection import cache_version

from .base import Measured, Task


def evaluate(task: Task, texts: str, topk: Sequence[int] = (1, 5, 10)) -> Measured:
    """Search the clip of each sentence about a test clip among all test clips.

    Args:
        texts: Text cache keyed by clip name.
        topk: Numbers of neighbors; of those that reach the number of clips only the smallest of all
            is reported.

    Returns:
        ``recall@k``, the mean over clips of the share of their sentences that find them among the k
        most similar; and details: numbers of clips and of clips without a sentence.
    """
    names, space = task.test.names, SharedSpace(str(task.request.checkpoint))
    topk = below_all(topk, len(names))
    shares, keys = [], []
    for position, key, similarity in _similarities(task.test_features, space, texts, names):
        # Clips that are as similar count before it: a collapsed space finds nothing. So do those
        # that cannot be compared.
        rank = (~(similarity < similarity[:, [position]])).sum(axis=1)
        shares.append([float((rank <= k).mean()) for k in topk])
        keys.append(key)
    return Measured(
        {f'recall@{k}': share for k, share in zip(topk, np.mean(shares, axis=0).tolist())},
        {'clips': len(names), 'without_sentence': len(names) - len(shares)},
        {portable_path(texts): cache_version(texts, keys)},
    )


class TextSearch(NamedTuple):
    """Clips that one sentence about a test clip finds."""

    position: int  # of the clip that it is about, in the order of the features
    key: str  # of that clip in the text cache
    sentence: int  # which of the clip's, from 0
    nearest: np.ndarray  # int (k,), positions of the most similar clips, the nearest first
    similarity: np.ndarray  # (k,), their cosines


def search_by_text(
    test: Features,
    space: SharedSpace,
    texts: str,
    names: Sequence[str],
    count: int,
    top: int,
    seed: int = 0,
) -> list[TextSearch]:
    """Search for some sentences, as :func:`evaluate` does for all.

    Args:
        test: Features of the test split, the gallery.
        space: Of the pre-training.
        texts: Text cache keyed by clip name.
        names: Of the clips, in the order of the features.
        count, seed: Of clips drawn, of each one sentence.
        top: Number of clips to find.
    """
    rows = list(_similarities(test, space, texts, names))
    generator = np.random.default_rng(seed)
    found = []
    for row in generator.permutation(len(rows))[:count]:
        position, key, similarity = rows[row]
        sentence = int(generator.integers(len(similarity)))
        own = np.arange(len(names)) == position
        # Among equals the own clip comes last, as in the numbers.
        nearest = np.lexsort((own, -similarity[sentence]))[:top]
        found.append(TextSearch(position, key, sentence, nearest, similarity[sentence, nearest]))
    return found


def _similarities(
    test: Features, space: SharedSpace, texts: str, names: Sequence[str]
) -> Iterator[tuple[int, str, np.ndarray]]:
    """Position and key of each clip with sentences; cosines of these and all clips, ``(S, N)``."""
    reader, known = open_texts(texts), False
    gallery = space.embed('skeleton', test.values)  # (N, E)
    for position, key in enumerate(reader.lookup_all(names)):
        if key is not None:
            known = True
            yield position, key, space.embed('prompt', reader.get(key)) @ gallery.T
    if not known:
        raise DataError(f'{texts}: no sentence about any of the {len(names)} test clips')
