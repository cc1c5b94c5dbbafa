"""Terms of a head's equation: a value and a weight for each sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from mmact_ssl.errors import ConfigError

# Parts of the names of metrics.
SMALLER_IS_BETTER = ('error', 'mse')
ACCURACY = 'accuracy'


class Term(NamedTuple):
    """Value and weight of each sample.

    Attributes:
        value: ``(B,)``, finite even where the weight is 0; or a scalar of the whole batch, which is
            logged and not tested. A metric must be ``(B,)``; a reference, such as ``chance``, may
            be a scalar.
        weight: ``(B,)``, ``>= 0``, such as the number of visible joints; None: equal weights.
    """

    value: Tensor
    weight: Tensor | None = None


# Values of a head's equation by name.
Terms = dict[str, Term | Tensor]


def mean_term(values: Tensor, weight: Tensor) -> Term:
    """Make a term of each sample's weighted mean, with the sum of the weights as its weight.

    Args:
        values: ``(B, ...)``, finite even where the weight is 0.
        weight: The same shape or one that expands to it, ``>= 0``, no gradient.
    """
    weight = weight.to(values.dtype).expand_as(values).flatten(1)
    total = weight.sum(1)
    return Term((values.flatten(1) * weight).sum(1) / total.clamp(min=1e-12), total)


def stack_terms(terms: Mapping[str, Term]) -> tuple[Tensor, Tensor]:
    """Stack values and weights of K terms ``(B,)`` to ``(K, B)``, so that one operation sums all.

    Raises:
        ConfigError: A term or its weight does not have a number for each sample.
    """
    samples = len(next(iter(terms.values())).value)
    for name, term in terms.items():
        shapes = [tuple(part.shape) for part in term if part is not None]
        if set(shapes) != {(samples,)}:
            raise ConfigError(
                f'the term {name!r} has the shapes {shapes} of value and weight, not one number '
                f'for each of {samples} samples: use mean_term(values, weight)'
            )
    weights = [
        torch.ones_like(value) if weight is None else weight.to(value.dtype)
        for value, weight in terms.values()
    ]
    return torch.stack([value for value, _ in terms.values()]), torch.stack(weights)


def known_term(values: Tensor) -> Term:
    """Make a term of values ``(B,)``; NaN values do not count."""
    known = ~values.isnan()
    return Term(values.where(known, values.new_zeros(())), known.to(values.dtype))
