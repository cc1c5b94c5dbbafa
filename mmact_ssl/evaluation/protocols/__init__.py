"""The table of protocols."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from mmact_ssl.errors import ConfigError

from . import fewshot, finetune, joint, knn, lda, linear, retrieval
from .base import Protocol

PROTOCOLS: dict[str, Protocol] = {
    'linear': Protocol(linear.evaluate, frozen=True),
    'lda': Protocol(lda.evaluate, frozen=True, check_labels=lda.check_labels),
    'knn': Protocol(knn.evaluate, frozen=True),
    'retrieval': Protocol(retrieval.evaluate, frozen=True, labels='none'),
    'fewshot': Protocol(fewshot.evaluate, frozen=True, labels='own draws'),
    'finetune': Protocol(finetune.evaluate, trains=True),
    'joint': Protocol(joint.evaluate, labels='of the checkpoint'),
}


def plan_protocols(text: str) -> list[str]:
    """Parse names in :data:`PROTOCOLS`, separated by commas."""
    names = list(dict.fromkeys(map(str.strip, text.split(','))))
    for name in names:
        if name not in PROTOCOLS:
            raise ConfigError(f'protocol {name!r}: choose among {", ".join(PROTOCOLS)}')
    return names


def plan_evaluations(
    protocols: Sequence[str], fractions: Sequence[float], seeds: Sequence[int], one_encoder: bool
) -> list[tuple[int, float, list[str]]]:
    """List the seed, the fraction of the labels and the protocols of each evaluation.

    Args:
        protocols: Names in :data:`PROTOCOLS`.
        fractions, seeds: All protocols evaluate each of them.
        one_encoder: All seeds evaluate the same encoder: later seeds then leave out protocols whose
            results no seed changes.
    """
    evaluations = []
    for seed, fraction in product(seeds, fractions):
        is_repeated = one_encoder and seed != seeds[0]
        names = [n for n in protocols if not is_repeated or is_stochastic(n, fraction)]
        if names:
            evaluations.append((seed, fraction, names))
    return evaluations


def is_stochastic(name: str, label_fraction: float) -> bool:
    """True if a protocol gives different numbers for different seeds on the same checkpoint."""
    protocol = PROTOCOLS[name]
    return protocol.trains or (label_fraction != 1 and protocol.labels == 'drawn')
