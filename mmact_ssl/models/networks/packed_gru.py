"""GRUs over sequences of unequal length, without computing padding."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import Function, once_differentiable
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def run_packed_gru(gru: nn.GRU, x: Tensor, lengths: Tensor) -> Tensor:
    """Run a GRU on the first ``length`` frames of each sequence.

    Each direction starts at its own end of the sequence, and padding is not computed. CUDA devices
    use torch's packed sequences. On a CPU their training is slow, because in the backward pass
    every time step writes a gradient of the whole batch's size; there this file's loop takes a
    third of the time.

    Args:
        gru: A GRU with ``batch_first`` and biases, without dropout.
        x: ``(B, T, D)``; the outputs ``(B, T, hidden_size * directions)`` are 0 in the padding.
        lengths: int64 ``(B,)``, 1..T.
    """
    if x.is_cuda or torch.onnx.is_in_onnx_export():
        return _run_torch(gru, x, lengths)
    # Mixed precision would round each step's state, and is not faster for products this small.
    with torch.autocast(x.device.type, enabled=False):
        return _run_loop(gru, x.to(next(gru.parameters()).dtype), lengths)


def _run_torch(gru: nn.GRU, x: Tensor, lengths: Tensor) -> Tensor:
    # cuDNN needs the lengths on the host, so this waits for the device.
    packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(gru(packed)[0], batch_first=True, total_length=x.shape[1])[0]


def _run_loop(gru: nn.GRU, x: Tensor, lengths: Tensor) -> Tensor:
    """Run over frames sorted by time, then by falling length: the first rows are active."""
    batch, time = x.shape[:2]
    order = lengths.argsort(descending=True, stable=True)
    within = torch.arange(time, device=x.device)[:, None] < lengths[order]  # (T, B)
    step, rank = within.nonzero(as_tuple=True)  # each (sum of lengths,)
    index = order[rank] * time + step  # position of a packed frame in x
    rows = [count for count in within.sum(1).tolist() if count]  # active sequences at each time
    packed = x.flatten(0, 1)[index]
    for layer in range(gru.num_layers):
        outputs = []
        for reverse in (False, True)[: 1 + gru.bidirectional]:
            suffix = f'l{layer}_reverse' if reverse else f'l{layer}'
            parts = ('weight_ih', 'weight_hh', 'bias_ih', 'bias_hh')
            parameters = [getattr(gru, f'{part}_{suffix}') for part in parts]
            outputs.append(_PackedDirection.apply(packed, *parameters, rows, reverse))
        packed = torch.cat(outputs, dim=1)
    padded = packed.new_zeros(batch * time, packed.shape[1]).index_copy(0, index, packed)
    return padded.unflatten(0, (batch, time))


class _PackedDirection(Function):
    """One direction of one layer of :class:`torch.nn.GRU` over packed frames.

    With ``a = W_ih x + b_ih`` and ``b = W_hh h + b_hh``, each in its parts r, z and n::

        r = sigmoid(a_r + b_r)    z = sigmoid(a_z + b_z)    n = tanh(a_n + r * b_n)
        h' = n + z * (h - n)

    The gradient is written out because autograd adds a matrix of the size of ``W_hh`` at each time
    step; here a single product after the last step suffices.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        packed: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
        rows: Sequence[int],
        reverse: bool,
    ) -> Tensor:
        """``(sum(rows), D) -> (sum(rows), H)``; ``rows`` are the active sequences at each time.

        In reverse a sequence becomes active at its own last frame, with a state of 0.
        """
        size = weight_hh.shape[1]
        gates = torch.addmm(bias_ih, packed, weight_ih.T)  # a, which the loop replaces by r, z, n
        before, after, b_n = (packed.new_empty(len(packed), size) for _ in range(3))
        state = packed.new_zeros(rows[0], size)
        ends = list(accumulate(rows))
        steps = [slice(end - count, end) for end, count in zip(ends, rows)]
        steps = steps[::-1] if reverse else steps
        for step in steps:
            h = state[: step.stop - step.start]
            before[step] = h
            b = torch.addmm(bias_hh, h, weight_hh.T)
            b_n[step] = b[:, 2 * size :]
            r, z = gates[step, : 2 * size].add_(b[:, : 2 * size]).sigmoid_().chunk(2, dim=1)
            n = gates[step, 2 * size :].addcmul_(r, b_n[step]).tanh_()
            h.copy_(torch.lerp(n, h, z, out=after[step]))
        ctx.save_for_backward(packed, weight_ih, weight_hh, gates, before, b_n)
        ctx.steps = steps
        return after

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple:  # type: ignore[override]
        packed, weight_ih, weight_hh, gates, before, b_n = ctx.saved_tensors
        size = weight_hh.shape[1]
        r, z, n = gates.chunk(3, dim=1)
        # Factors from the gradient of h' to those of a_z and a_n, and from that of a_n to a_r's.
        to_z = (before - n) * z * (1 - z)
        to_n = (1 - z) * (1 - n * n)
        to_r = b_n * r * (1 - r)
        grad_a, grad_b = torch.empty_like(gates), torch.empty_like(gates)
        state = packed.new_zeros(max(step.stop - step.start for step in ctx.steps), size)
        for step in reversed(ctx.steps):
            grad_h = state[: step.stop - step.start].add_(grad[step])
            part_r, part_z, part_n = grad_b[step].chunk(3, dim=1)
            torch.mul(grad_h, to_z[step], out=part_z)
            grad_n = torch.mul(grad_h, to_n[step], out=grad_a[step, 2 * size :])
            torch.mul(grad_n, to_r[step], out=part_r)
            torch.mul(grad_n, r[step], out=part_n)
            grad_h.mul_(z[step]).addmm_(grad_b[step], weight_hh)
        grad_a[:, : 2 * size] = grad_b[:, : 2 * size]
        return (
            grad_a @ weight_ih if ctx.needs_input_grad[0] else None,
            grad_a.T @ packed,
            grad_b.T @ before,
            grad_a.sum(0),
            grad_b.sum(0),
            None,
            None,
        )
