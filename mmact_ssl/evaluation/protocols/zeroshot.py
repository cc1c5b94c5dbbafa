"""Zero-shot classification of skeletons by sentences about the classes.

These sentences name the classes. Only this evaluation reads them, training never does.
"""

from __future__ import annotations

import numpy as np

from mmact_ssl.errors import DataError
from mmact_ssl.evaluation.accuracy import accuracy_metrics
from mmact_ssl.evaluation.provenance import portable_path
from mmact_ssl.evaluation.shared_space import SharedSpace, open_texts
from mmact_ssl.targets.inspection import cache_version

from .base import Measured, Task


def evaluate(task: Task, texts: str) -> Measured:
    """Classify each clip by its most similar class, without training.

    A class is the mean of its sentences' directions in the shared space. ``texts`` is a text cache
    keyed by class name.
    """
    reader, space = open_texts(texts, task.student), SharedSpace(task.student)
    missing = [name for name in task.classes if name not in reader]
    if missing:
        raise DataError(
            f'{texts}: no sentence about {len(missing)} of {task.num_classes} classes, e.g. '
            f'{missing[0]!r}; key the sentences by the lines of classes.txt'
        )
    test = task.test_features
    sentences = [space.embed('prompt', reader.get(name)) for name in task.classes]  # (S, E) each
    centers = np.stack([rows.mean(axis=0) for rows in sentences])  # (K, E)
    centers /= np.maximum(np.linalg.norm(centers, axis=1, keepdims=True), 1e-12)
    scores = space.embed('skeleton', test.values) @ centers.T
    return Measured(
        *accuracy_metrics(test.labels, scores, task.num_classes),
        caches={portable_path(texts): cache_version(texts, task.classes)},
    )
