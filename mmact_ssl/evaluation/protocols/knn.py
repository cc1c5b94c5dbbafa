"""Classification by the k nearest neighbors of frozen features."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mmengine.logging import print_log

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.accuracy import accuracy_metrics
from mmact_ssl.evaluation.neighbors import below_all, nearest_samples, vote
from mmact_ssl.evaluation.protocols.base import Measured, ProtocolInput


def evaluate(
    inputs: ProtocolInput,
    k: Sequence[int] = (5, 10, 20),
    main_k: int = 10,
    temperature: float = 0.07,
) -> Measured:
    """Classify the test split by its neighbors in the training split.

    Args:
        k: Numbers of neighbors, reported as ``top1@k=…``; not chosen on the test split. Those that
            reach the number of training samples are left out, see :func:`below_all`.
        main_k: The number reported as ``top1``, with its confusion matrix; if it is left out, the
            largest reported one.
        temperature: Temperature of the votes, see :func:`mmact_ssl.evaluation.neighbors.vote`.
    """
    if not isinstance(k, Sequence) or min(k) < 1 or main_k not in k or temperature <= 0:
        raise ConfigError(
            f'knn: k={k}, main_k={main_k}, temperature={temperature}: give positive numbers, as '
            'k=5,10, and a main_k of k'
        )
    train, test = inputs.features('train'), inputs.features('test')
    k = below_all(k, len(train.labels))
    if main_k not in k:
        print_log(
            f'knn: main_k={main_k} reaches the {len(train.labels)} training samples, top1 is that '
            f'of k={max(k)}',
            'current',
            logging.WARNING,
        )
        main_k = max(k)
    similarity, position = nearest_samples(train, test.values, max(k))
    labels = train.labels[position]  # (Q, max(k))
    top1, details, right = {}, {}, {}
    for count in k:
        scores = vote(similarity[:, :count], labels[:, :count], len(inputs.classes), temperature)
        metrics, confusion = accuracy_metrics(test.labels, scores, len(inputs.classes))
        top1[count] = metrics['top1']
        if count == main_k:
            details, right['kNN'] = confusion, (scores.argmax(axis=1) == test.labels)[None]
    reported = {f'top1@k={count}': value for count, value in top1.items()}
    return Measured({'top1': top1[main_k], **reported}, details, right)
