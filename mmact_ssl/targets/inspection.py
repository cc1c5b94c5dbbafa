"""Version of a cache of sentences, and a warning about poses of low scores."""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np

from mmact_ssl.targets.cache import TargetReader
from mmact_ssl.targets.meta import DTYPE

LOW_SCORE = 0.3  # of poses (our choice); MoveNet's mean on JHMDB is 0.39
SAMPLE = 64  # number of videos whose scores are read


def doubtful_poses(path: str | os.PathLike[str]) -> str:
    """Warning about a cache of poses with low scores; '' for any other cache."""
    reader = TargetReader(path)
    keys = reader.keys()
    if reader.meta.kind != 'pose' or not keys:
        return ''
    scores = [reader.get(key)[..., 2] for key in keys[:: max(1, -(-len(keys) // SAMPLE))]]
    mean = float(np.concatenate(scores).mean())
    if mean >= LOW_SCORE:
        return ''
    return (
        f'{path}: the mean score of the poses is {mean:.2f}: the teacher hardly sees persons here, '
        'and its poses may teach nothing; look at the videos, or take another teacher '
        '(docs/extend/teachers.md)'
    )


def cache_version(path: str | os.PathLike) -> str:
    """Hash the teacher and the embeddings of a cache of sentences.

    A fingerprint does not cover the embedded sentences.
    """
    reader = TargetReader(path)
    names = ('kind', 'layout', 'window', 'precision')
    words = {n: getattr(reader.meta, n) for n in names}
    words.update(fingerprint=reader.meta.identity, dtype=DTYPE)
    digest = hashlib.sha256(json.dumps(words, sort_keys=True).encode())
    for key in sorted(reader.keys()):
        values = reader.get(key)  # (S, D)
        digest.update(f'{key} {values.shape}\n'.encode() + values.tobytes())
    return digest.hexdigest()
