"""The table of protocols."""

from __future__ import annotations

from mmact_ssl.evaluation.protocols import fewshot, finetune, joint, knn, lda, linear, retrieval
from mmact_ssl.evaluation.protocols.base import Protocol

PROTOCOLS: dict[str, Protocol] = {
    'linear': Protocol(linear.evaluate, frozen=True),
    'lda': Protocol(lda.evaluate, frozen=True, check_labels=lda.check_labels),
    'knn': Protocol(knn.evaluate, frozen=True),
    'retrieval': Protocol(retrieval.evaluate, frozen=True, labels='none'),
    'fewshot': Protocol(fewshot.evaluate, frozen=True, labels='own draws'),
    'finetune': Protocol(finetune.evaluate, trains=True),
    'joint': Protocol(joint.evaluate, labels='of the checkpoint'),
}


def is_stochastic(name: str, label_fraction: float) -> bool:
    """True if a protocol gives different numbers for different seeds on the same checkpoint."""
    protocol = PROTOCOLS[name]
    return protocol.trains or (label_fraction != 1 and protocol.labels == 'drawn')
