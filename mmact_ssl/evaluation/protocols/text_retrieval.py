"""Retrieval of skeleton clips by sentences about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mmact_ssl.errors import DataError
from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.neighbors import below_all
from mmact_ssl.evaluation.provenance import portable_path
from mmact_ssl.evaluation.shared_space import SharedSpace, open_texts
from mmact_ssl.targets.inspection import cache_version

from .base import Measured, Task


def evaluate(task: Task, texts: str, topk: Sequence[int] = (1, 5, 10)) -> Measured:
    """Search among all test clips for the clip that each sentence describes.

    Args:
        texts: Text cache keyed by clip name.
        topk: Numbers of neighbors; those that reach the number of clips are left out, see
            :func:`below_all`.

    Returns:
        ``recall@k``, the fraction of a clip's sentences with the clip among the k most similar, as
        a mean over clips; and details: numbers of clips and of clips without a sentence.
    """
    names, space = task.test.names, SharedSpace(task.student)
    topk = below_all(topk, len(names))
    shares, keys = [], []
    for position, key, similarity in similarities(task.test_features, space, texts, names):
        # Ties and NaN rank before the clip: a collapsed space finds nothing.
        rank = (~(similarity < similarity[:, [position]])).sum(axis=1)
        shares.append([float((rank <= k).mean()) for k in topk])
        keys.append(key)
    return Measured(
        {f'recall@{k}': share for k, share in zip(topk, np.mean(shares, axis=0).tolist())},
        {'clips': len(names), 'without_sentence': len(names) - len(shares)},
        {portable_path(texts): cache_version(texts, keys)},
    )


def similarities(
    test: Features, space: SharedSpace, texts: str, names: Sequence[str]
) -> Iterator[tuple[int, str, np.ndarray]]:
    """Yield position and key of each clip with sentences, and their cosines to all clips.

    The cosines of S sentences and N clips are ``(S, N)``.
    """
    reader, known = open_texts(texts, space.saved), False
    gallery = space.embed('skeleton', test.values)  # (N, E)
    for position, key in enumerate(reader.lookup_all(names)):
        if key is not None:
            known = True
            yield position, key, space.embed('prompt', reader.get(key)) @ gallery.T
    if not known:
        raise DataError(f'{texts}: no sentence about any of the {len(names)} test clips')
