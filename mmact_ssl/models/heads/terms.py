"""Terms of a head's equation: a number of each sample, and how much each sample counts."""

from __future__ import annotations

from typing import NamedTuple, Union

from torch import Tensor


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


def known_term(values: Tensor) -> Term:
    """Values ``(B,)`` of which those that are not NaN count."""
    known = ~values.isnan()
    return Term(values.where(known, values.new_zeros(())), known.to(values.dtype))
