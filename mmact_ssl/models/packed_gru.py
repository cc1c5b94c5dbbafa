# SPDX-License-Identifier: Apache-2.0
"""GRUs over sequences of unequal length that never see padding."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def run_packed_gru(gru: nn.GRU, x: Tensor, lengths: Tensor) -> Tensor:
    """Run a GRU on the first ``length`` frames of each sequence.

    Each direction starts at its own end of the sequence, so that padding enters no state, and
    padding is not computed. The result is that of torch's packed sequences, which CUDA devices use.
    On CPU these are slow to train: in the backward pass every time step writes a gradient of
    the whole batch's size, so that time grows with the square of the length. There the loop below
    is three to four times faster (docs/benchmarks.md).

    Args:
        gru: ``batch_first``, with biases, without dropout.
        x: ``[B, T, D]``.
        lengths: int64 ``[B]``, 1..T.

    Returns:
        ``[B, T, hidden_size * directions]`` of the GRU's type; 0 in the padding.
    """
    if x.is_cuda:
        return _run_torch(gru, x, lengths)
    # Mixed precision would round each step's state; the products here are too small to gain by it.
    with torch.autocast(x.device.type, enabled=False):
        return _run_loop(gru, x.to(next(gru.parameters()).dtype), lengths)


def _run_torch(gru: nn.GRU, x: Tensor, lengths: Tensor) -> Tensor:
    # cuDNN asks for the lengths on the host: the one wait for the device in a step.
    packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(gru(packed)[0], batch_first=True, total_length=x.shape[1])[0]


def _run_loop(gru: nn.GRU, x: Tensor, lengths: Tensor) -> Tensor:
    """Frames sorted by time, then by falling length: at each time the first rows are at work."""
    batch, time = x.shape[:2]
    order = lengths.argsort(descending=True, stable=True)
    within = torch.arange(time, device=x.device)[:, None] < lengths[order]  # (T, B)
    step, rank = within.nonzero(as_tuple=True)  # each [sum of lengths]
    index = order[rank] * time + step  # where a packed frame lies in x
    rows = [size for size in within.sum(1).tolist() if size]  # sequences at work at each time
    packed = x.flatten(0, 1)[index]
    for layer in range(gru.num_layers):
        forward = _run_direction(gru, packed, rows, f'l{layer}')
        if gru.bidirectional:
            backward = _run_direction(gru, packed, rows, f'l{layer}_reverse')
            packed = torch.cat([forward, backward], dim=1)
        else:
            packed = forward
    return (
        packed.new_zeros(batch * time, packed.shape[1])
        .index_copy(0, index, packed)
        .unflatten(0, (batch, time))
    )


def _run_direction(gru: nn.GRU, packed: Tensor, rows: list[int], name: str) -> Tensor:
    """One direction of one layer, in the notation of :class:`torch.nn.GRU`.

    Args:
        packed: ``[sum(rows), D]``.
        rows: number of sequences at work at each time, falling.
        name: of the direction in the GRU's parameters; the reverse one runs from the last time to
            the first, and a sequence joins in at its own last frame.

    Returns:
        ``[sum(rows), hidden_size]``.
    """
    weight_ih, weight_hh = getattr(gru, f'weight_ih_{name}'), getattr(gru, f'weight_hh_{name}')
    bias_ih, bias_hh = getattr(gru, f'bias_ih_{name}'), getattr(gru, f'bias_hh_{name}')
    # One product for all times. `split`, because its backward pass concatenates, while that of
    # a slice per step would write all of `inputs` anew at each step.
    inputs = torch.addmm(bias_ih, packed, weight_ih.T).split(rows)
    times = range(len(rows))
    if name.endswith('_reverse'):
        times = times[::-1]
    hidden = packed.new_zeros(rows[times[0]], gru.hidden_size)
    outputs = [hidden] * len(rows)
    for t in times:
        if rows[t] < len(hidden):  # sequences that ended
            hidden = hidden[: rows[t]]
        elif rows[t] > len(hidden):  # sequences that start, read backwards
            start = hidden.new_zeros(rows[t] - len(hidden), gru.hidden_size)
            hidden = torch.cat([hidden, start])
        input_r, input_z, input_n = inputs[t].chunk(3, dim=1)
        hidden_r, hidden_z, hidden_n = torch.addmm(bias_hh, hidden, weight_hh.T).chunk(3, dim=1)
        r = torch.sigmoid(input_r + hidden_r)
        z = torch.sigmoid(input_z + hidden_z)
        n = torch.tanh(input_n + r * hidden_n)
        hidden = n + z * (hidden - n)  # (1 - z) * n + z * hidden
        outputs[t] = hidden
    return torch.cat(outputs)
