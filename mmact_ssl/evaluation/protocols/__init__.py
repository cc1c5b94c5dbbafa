"""The table of protocols."""

from __future__ import annotations

from collections.abc import Sequence

from mmact_ssl.errors import ConfigError

from . import (
    fewshot,
    finetune,
    joint,
    knn,
    lda,
    linear,
    linear_adam,
    retrieval,
)
from .base import Protocol

PROTOCOLS: dict[str, Protocol] = {
    'linear': Protocol(linear.evaluate, frozen=True),
    'linear-adam': Protocol(linear_adam.evaluate, frozen=True, is_stochastic=True),
    'lda': Protocol(lda.evaluate, frozen=True, check_labels=lda.check_labels),
    'knn': Protocol(knn.evaluate, frozen=True),
    'retrieval': Protocol(retrieval.evaluate, frozen=True, labels='none'),
    'fewshot': Protocol(fewshot.evaluate, frozen=True, labels='own draws'),
    'finetune': Protocol(finetune.evaluate, is_stochastic=True, trains=True),
    'joint': Protocol(
        joint.evaluate, labels='of the checkpoint', needs_checkpoint='jointly trained classifier'
    ),
}


def plan_protocols(text: str) -> list[str]:
    """Parse names in :data:`PROTOCOLS`, separated by commas."""
    names = list(dict.fromkeys(map(str.strip, text.split(','))))
    for name in names:
        if name not in PROTOCOLS:
            raise ConfigError(f'protocol {name!r}: choose among {", ".join(PROTOCOLS)}')
    return names


def plan_steps(
    text: str, fractions: Sequence[float], seeds: Sequence[int], one_encoder: bool
) -> list[tuple[int, float, list[str]]]:
    """List seed, fraction of the labels and protocols of each step.

    Args:
        text: As in :func:`plan_protocols`.
        fractions: Fractions of the labels, each evaluated by all protocols.
        seeds: Seeds, each evaluated by all protocols.
        one_encoder: All seeds evaluate the same encoder: later seeds then leave out protocols whose
            results no seed changes.
    """
    steps = []
    for seed in seeds:
        for fraction in fractions:
            protocols = plan_protocols(text)
            if one_encoder and seed != seeds[0]:
                protocols = [name for name in protocols if is_stochastic(name, fraction)]
            if protocols:
                steps.append((seed, fraction, protocols))
    return steps


def is_stochastic(name: str, label_fraction: float) -> bool:
    """True if a protocol gives different numbers for different seeds on the same checkpoint."""
    protocol = PROTOCOLS[name]
    return protocol.is_stochastic or (label_fraction != 1 and protocol.labels == 'drawn')
