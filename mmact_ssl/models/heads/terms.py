"""Terms of a head's equation: a number of each sample, and how much each sample counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Union

import torch
from torch import Tensor

from mmact_ssl.errors import ConfigError


class Term(NamedTuple):
    """A number of each sample, and how much each sample counts.

    Attributes:
        value: ``(B,)``, finite where the weight is 0 too; or a scalar of the whole batch.
        weight: ``(B,)``, ``>= 0``, such as the number of joints that are seen; None: all alike.
    """

    value: Tensor
    weight: Tensor | None = None


# What a head's equation gives, by name.
Terms = dict[str, Union[Term, Tensor]]


def mean_term(values: Tensor, weight: Tensor) -> Term:
    """The weighted mean of each sample's values, which counts by the sum of their weights.

    Args:
        values: ``(B, ...)``, finite where the weight is 0 too.
        weight: The same shape or one that expands to it, ``>= 0``, no gradient.
    """
    weight = weight.to(values.dtype).expand_as(values).flatten(1)
    total = weight.sum(1)
    return Term((values.flatten(1) * weight).sum(1) / total.clamp(min=1e-12), total)


def stack_terms(terms: Mapping[str, Term]) -> tuple[Tensor, Tensor]:
    """Values and weights of K terms ``(B,)`` as rows, ``(K, B)``: one operation then sums all.

    Raises:
        ConfigError: A term, or its weight, is not one number of each sample.
    """
    samples = len(next(iter(terms.values())).value)
    for name, term in terms.items():
        shapes = [tuple(part.shape) for part in term if part is not None]
        if set(shapes) != {(samples,)}:
            raise ConfigError(
                f'the term {name!r} has the shapes {shapes} of value and weight, and not one '
                f'number of each of {samples} samples: take mean_term(values, weight)'
            )
    weights = [
        torch.ones_like(value) if weight is None else weight.to(value.dtype)
        for value, weight in terms.values()
    ]
    return torch.stack([value for value, _ in terms.values()]), torch.stack(weights)


def known_term(values: Tensor) -> Term:
    """Values ``(B,)`` of which those that are not NaN count."""
    known = ~values.isnan()
    return Term(values.where(known, values.new_zeros(())), known.to(values.dtype))
