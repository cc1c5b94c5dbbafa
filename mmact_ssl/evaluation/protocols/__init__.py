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
# Other names for one or more protocols; results carry the protocol's name.
ALIASES = {
    'all': ('linear', 'knn', 'retrieval'),
    'semi': ('finetune',),
    'semi-linear': ('linear',),
    'transfer': ('linear',),
}
# Fractions of the labels for 'semi' and 'semi-linear': our choice among those of papers.
SEMI_FRACTIONS = (0.01, 0.05, 0.1, 0.2, 0.4)


def plan_protocols(text: str, fractions: Sequence[float] = ()) -> dict[float, list[str]]:
    """Parse the protocols to run, as {fraction of the labels: protocols}.

    Args:
        text: Names in :data:`PROTOCOLS` and :data:`ALIASES`, separated by commas.
        fractions: Fractions of the labels for all protocols. Empty: all labels, and
            :data:`SEMI_FRACTIONS` for ``semi`` and ``semi-linear``.
    """
    plan: dict[float, list[str]] = {}
    for name in map(str.strip, text.split(',')):
        if name not in PROTOCOLS and name not in ALIASES:
            known = ', '.join([*PROTOCOLS, *ALIASES])
            raise ConfigError(f'protocol {name!r}: choose among {known}')
        default_fractions = SEMI_FRACTIONS if name.startswith('semi') else (1.0,)
        for fraction in fractions or default_fractions:
            chosen = plan.setdefault(fraction, [])
            chosen += [part for part in ALIASES.get(name, (name,)) if part not in chosen]
    return plan


def plan_steps(
    text: str, fractions: Sequence[float], seeds: Sequence[int], one_encoder: bool
) -> list[tuple[int, float, list[str]]]:
    """List seed, fraction of the labels and protocols of each step.

    Args:
        text, fractions: As in :func:`plan_protocols`.
        seeds: Seeds, each evaluated by all protocols.
        one_encoder: All seeds evaluate the same encoder: later seeds then leave out protocols whose
            results no seed changes.
    """
    steps = []
    for seed in seeds:
        for fraction, protocols in plan_protocols(text, fractions).items():
            if one_encoder and seed != seeds[0]:
                protocols = [name for name in protocols if is_stochastic(name, fraction)]
            if protocols:
                steps.append((seed, fraction, protocols))
    return steps


def is_stochastic(name: str, label_fraction: float) -> bool:
    """True if a protocol gives different numbers for different seeds on the same checkpoint."""
    protocol = PROTOCOLS[name]
    return protocol.is_stochastic or (label_fraction != 1 and protocol.labels == 'drawn')
