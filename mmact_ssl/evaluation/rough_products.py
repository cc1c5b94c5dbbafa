"""Products of all pairs of two sets of rows, rounded, and a bound of their rounding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from mmact_ssl.errors import DataError

# Rows of the gallery that are projected at a time: they fit into a processor's cache.
BLOCK = 256
# Candidates of a query for each wanted neighbor, in the mean of the clear ones.
CROWD = 16
# Groups of gallery rows for each wanted neighbor, see :meth:`GalleryCopy.candidates`. Our choice.
GROUPS = 8
# Integers of the same size.
INTEGERS = {torch.bfloat16: torch.int16, torch.float32: torch.int32}


def multiplies_bfloat16() -> bool:
    """Return True if this processor has instructions that multiply bfloat16, AMX or AVX-512's.

    False for a torch without the public ``torch.cpu.get_capabilities``.
    """
    find = getattr(torch.cpu, 'get_capabilities', None)
    known = find() if find else {}
    has = known.get('amx_bf16') or known.get('avx512_bf16')
    return torch.backends.mkldnn.is_available() and bool(has)


class GalleryCopy:
    """A gallery in a type that is multiplied fast, to find candidates for its nearest rows.

    A row c of the copy ``rows`` is g - center, rounded: all similarities of a query change by the
    same number, and features that lie in a narrow cone keep their differences.

    Args:
        gallery: ``(G, D')``.
        project: Makes float unit rows ``(N, D)`` of gallery rows ``(N, D')``.
        dtype: bfloat16 or float32.

    Attributes:
        longest: Largest length of a row g - center.
        lost: Largest length of what rounding took from a row, c - (g - center).
    """

    def __init__(
        self,
        gallery: np.ndarray,
        project: Callable[[np.ndarray], np.ndarray],
        dtype: torch.dtype,
    ) -> None:
        # Of a sample: the center may be any point.
        self.center = project(gallery[:: len(gallery) // BLOCK + 1]).mean(0, dtype=np.float64)
        self.rows = torch.empty((len(gallery), len(self.center)), dtype=dtype)
        self.longest = self.lost = 0.0
        for start in range(0, len(gallery), BLOCK):
            exact = project(gallery[start : start + BLOCK]) - self.center
            single = torch.from_numpy(exact.astype(np.float32))
            rows = self.rows[start : start + BLOCK].copy_(single)
            self.longest = max(self.longest, _longest(single))
            self.lost = max(self.lost, _longest(single.sub_(rows)))
            if not np.isfinite(exact).all():
                raise DataError(f'features {start} to {start + len(exact) - 1} are not all finite')
        # What each call fills: new memory costs half as much time as the products.
        self._products = torch.empty(0, dtype=dtype)
        self._is_candidate = torch.empty(0, dtype=torch.bool)

    def candidates(
        self, queries: np.ndarray, k: int
    ) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        """Find pairs among which are the k nearest rows of each query that is clear.

        At least k products of a query reach the k-th largest of the maxima of groups of products.
        Less what rounding can do, this bounds the products of its k nearest rows.

        Args:
            queries: Unit rows ``(Q, D)``.
            k: At most G.

        Returns:
            Numbers of queries and of gallery rows, int64 ``(N,)`` each, the latter ascending; and
            bool ``(Q,)``, False for queries that are not among them, because too many rows, or rows
            on the far side of the center, lie within the bound.
        """
        exact = torch.from_numpy(queries).double()
        rounded = exact.to(self.rows.dtype)
        values = self._multiply(rounded)  # (G, Q)
        # Positive floating point numbers have the order of their bits as integers, which are
        # compared several times as fast. A group without positive numbers gives another of its
        # values than the largest: the bound holds all the same.
        integers = values.view(INTEGERS[values.dtype])
        # Groups of every n-th row: like rows, which often follow each other, lie in different ones.
        # n is odd, because classes in turn, an even number of them, would be a group each.
        count = min(GROUPS * k + 1, len(integers))
        size = len(integers) // count
        maxima = integers[: size * count].view(size, count, -1).amax(0)  # (count, Q)
        reached = maxima.topk(k, dim=0).values[-1].contiguous().view(values.dtype).double()
        # An output is rounded to one of its two neighbors, here and in the products compared.
        kept = 1 - torch.finfo(values.dtype).eps
        bound = kept * (kept * reached - 2 * self.error(exact, rounded))
        is_clear = (bound > 0).numpy()
        least = bound.to(values.dtype).view(integers.dtype)
        is_candidate = self._is_candidate.resize_(integers.shape).numpy()
        np.greater_equal(integers.numpy(), least.numpy(), out=is_candidate)
        is_candidate[:, ~is_clear] = False
        if np.count_nonzero(is_candidate) > CROWD * k * len(queries):
            is_clear &= np.count_nonzero(is_candidate, axis=0) <= CROWD * k
            is_candidate[:, ~is_clear] = False
        position, query = np.divmod(np.flatnonzero(is_candidate), len(queries))
        return (query, position), is_clear

    def _multiply(self, rounded: torch.Tensor) -> torch.Tensor:
        """Products ``(G, Q)`` of all rows and queries, until the next call."""
        products = self._products.resize_(len(self.rows), len(rounded))
        if self.rows.dtype == torch.float32:  # torch may be told to round these to bfloat16
            np.matmul(self.rows.numpy(), rounded.numpy().T, out=products.numpy())
            return products
        return torch.mm(self.rows, rounded.T, out=products)

    def error(self, exact: torch.Tensor, rounded: torch.Tensor) -> torch.Tensor:
        """Bound of the rounding error of products, before the output is rounded: float64 ``(Q,)``.

        A query q that is rounded to p, and a row c rounded from d = g - center, have

            |p.c - q.d| <= |p| |c - d| + |p - q| |d|

        by Cauchy and Schwarz. The sum of D products is off by at most D eps |p| |c| (Higham,
        Accuracy and Stability of Numerical Algorithms, 3.1; half of that if sums are rounded to the
        nearest), where eps is that of float32: products of two bfloat16 numbers are exact in it. As
        much again is more than what the lengths of rows, found in float32, are off by. In double
        precision, d and the exact similarities of rows of length 1 are rounded as well. Numbers too
        small for float32 may be taken for 0.

        Args:
            exact, rounded: Queries ``(Q, D)``.
        """
        single, double = torch.finfo(torch.float32), torch.finfo(torch.float64)
        terms = 2 * exact.shape[1] + 8
        length = rounded.double().norm(dim=1)
        error = length * (self.lost + terms * single.eps * (self.longest + self.lost))
        error += (rounded - exact).norm(dim=1) * self.longest
        error += terms * double.eps * exact.norm(dim=1) * (1 + self.longest)
        return (1 + terms * single.eps) * error + 4 * terms * single.tiny


def _longest(rows: torch.Tensor) -> float:
    return float(rows.norm(dim=1).max())
