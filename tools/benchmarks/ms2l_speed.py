"""Time of MS2L's training step on clips of unequal length, by ways to run its GRUs.

All ways have the same weights, the three tasks, Adam and random coordinates, and but for
``bucketed`` the same batches. They differ in how the GRUs of encoder and decoder treat unequal
lengths:

- ``ours``: each clip's own frames alone, by the package;
- ``padded``: all frames of clips padded to the longest of the set, padding read, as MS2L's released
  code does;
- ``padded-to-batch``: the same, padded to the longest of the batch;
- ``torch-packed``: torch's packed sequences; reads what ``ours`` reads, so losses must agree;
- ``bucketed``: clips sorted by length, so that those of a batch are of like length, padded to the
  longest of the batch, each direction reversed by the clip's length.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.models.backbones import skeleton_gru
from mmact_ssl.models.backbones.skeleton_gru import SkeletonGRU
from mmact_ssl.models.heads import motion_prediction
from mmact_ssl.models.heads.contrast import ContrastHead
from mmact_ssl.models.heads.jigsaw import JigsawHead
from mmact_ssl.models.necks.skeleton_pooling import SkeletonPooling
from mmact_ssl.models.networks.packed_gru import run_packed_gru

FLOOR = 2.5  # how many times faster than `padded` ours has to be
SEGMENTS = 3


@dataclass(frozen=True)
class SkeletonSet:
    """The shape of a set: clips of its training split, and log-normal lengths between bounds."""

    clips: int
    layout: str
    persons: int
    median: float
    deviation: float
    bounds: tuple[int, int]

    def draw_lengths(self, count: int, random: np.random.RandomState) -> np.ndarray:
        """Lengths in frames, int64 [count]."""
        drawn = random.lognormal(np.log(self.median), self.deviation, count)
        return np.clip(drawn.round(), *self.bounds).astype(np.int64)


SETS = {
    'nwucla': SkeletonSet(1020, 'kinect20', 1, 31, 0.6, (1, 201)),  # views 1 and 2
    'ntu': SkeletonSet(40091, 'ntu25', 2, 72, 0.45, (20, 300)),  # 60 classes, x-sub; mean 80
}


def run_over_padding(gru: nn.GRU, x: Tensor, lengths: Tensor) -> Tensor:
    """The backward direction reads the padding first."""
    return gru(x)[0]


def run_torch_packed(gru: nn.GRU, x: Tensor, lengths: Tensor) -> Tensor:
    """torch's packed sequences."""
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(gru(packed)[0], batch_first=True, total_length=x.shape[1])[0]


def run_reversed(gru: nn.GRU, x: Tensor, lengths: Tensor) -> Tensor:
    """Padding is computed, but each direction starts at the clip's own end."""
    frame = torch.arange(x.shape[1])
    within = frame < lengths[:, None]
    mirror = torch.where(within, lengths[:, None] - 1 - frame, frame)[:, :, None]
    start = x.new_zeros(1, len(x), gru.hidden_size)
    for layer in range(gru.num_layers):
        outputs = []
        for reverse in (False, True)[: 1 + gru.bidirectional]:
            name = f'l{layer}_reverse' if reverse else f'l{layer}'
            parts = ('weight_ih', 'weight_hh', 'bias_ih', 'bias_hh')
            weights = [getattr(gru, f'{part}_{name}') for part in parts]
            frames = x.gather(1, mirror.expand_as(x)) if reverse else x
            output = torch.gru(frames, start, weights, True, 1, 0.0, True, False, True)[0]
            outputs.append(output.gather(1, mirror.expand_as(output)) if reverse else output)
        x = torch.cat(outputs, dim=2)
    return x * within[:, :, None]


@dataclass(frozen=True)
class Way:
    """A way to run the GRUs, and what the clips are padded and batched for."""

    run: Callable[[nn.GRU, Tensor, Tensor], Tensor]
    pad_to_set: bool = False
    sort: bool = False


WAYS = {
    'ours': Way(run_packed_gru),
    'padded': Way(run_over_padding, pad_to_set=True),
    'padded-to-batch': Way(run_over_padding),
    'torch-packed': Way(run_torch_packed),
    'bucketed': Way(run_reversed, sort=True),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument('--sets', nargs='+', choices=list(SETS), default=list(SETS))
    parser.add_argument('--ways', nargs='+', choices=list(WAYS), default=list(WAYS))
    parser.add_argument(
        '--data',
        type=Path,
        default=Path('data/nwucla'),
        help='prepared folder to draw the lengths of nwucla from, where it is there',
    )
    parser.add_argument('--batches', type=int, default=4, help='training steps of each way')
    parser.add_argument('--batch-size', type=int, default=32)
    parser.add_argument('--hidden', type=int, default=300, help='units of the GRU a direction')
    parser.add_argument('--seed', type=int, default=0)


class Step(nn.Module):
    """MS2L: student, pooling and the three heads at their published sizes."""

    def __init__(self, shape: SkeletonSet, hidden: int) -> None:
        super().__init__()
        self.backbone = SkeletonGRU(shape.layout, shape.persons, hidden_size=hidden)
        self.pooling = SkeletonPooling()
        self.motion = motion_prediction.MotionPredictionHead(
            2 * hidden, shape.layout, shape.persons, hidden_size=2 * hidden
        )
        self.jigsaw = JigsawHead(2 * hidden, SEGMENTS)
        self.contrast = ContrastHead(2 * hidden)

    def forward(self, clip: Tensor, valid: Tensor) -> Tensor:
        """The three losses [3] of clips [B, M, T, V, C]."""
        views = dict(clip=clip, **make_views(clip, valid))
        feature_maps = self.backbone(torch.cat(list(views.values())), valid.repeat(3, 1, 1)).chunk(
            3
        )
        pooled = {
            view: self.pooling(feature_map, valid) for view, feature_map in zip(views, feature_maps)
        }
        permutation = torch.full((len(clip),), 3)  # (1, 2, 0), of make_views
        losses = (
            self.motion.loss(
                feature_map=feature_maps[1], masked=views['masked'], clip=clip, valid=valid
            ),
            self.jigsaw.loss(pooled=pooled['shuffled'], label=permutation),
            self.contrast.loss(**pooled),
        )
        return torch.stack([loss['loss'] for loss in losses])


def make_views(clip: Tensor, valid: Tensor) -> dict[str, Tensor]:
    """The first 70 % of each clip, and its three segments in the order 2, 3, 1."""
    lengths = valid.any(1).sum(1)[:, None]
    frame = torch.arange(clip.shape[2])
    seen = frame < 0.7 * lengths
    segment = (lengths // SEGMENTS).clamp(min=1)
    moved = (frame // segment + 1) % SEGMENTS * segment + frame % segment
    source = torch.where(frame < lengths // SEGMENTS * SEGMENTS, moved, frame)
    index = source[:, None, :, None, None].expand_as(clip)
    return dict(masked=clip * seen[:, None, :, None, None], shuffled=clip.gather(2, index))


def make_batch(
    shape: SkeletonSet, lengths: np.ndarray, time_steps: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Random clips of these lengths [B, M, T, V, 3] and their validity [B, M, T]."""
    within = torch.arange(time_steps) < torch.from_numpy(lengths)[:, None]
    valid = within[:, None].repeat(1, shape.persons, 1)
    clip = torch.zeros(*valid.shape, LAYOUTS[shape.layout].num_joints, 3)
    generator = torch.Generator().manual_seed(seed)
    for b, length in enumerate(lengths):  # the same numbers whatever the padding
        clip[b, :, :length] = torch.randn(clip[b, :, :length].shape, generator=generator)
    return clip, valid


def peak_memory() -> float:
    """The most memory that this process has held so far, in MiB (on Linux)."""
    import resource  # Unix only

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def train(
    name: str, shape: SkeletonSet, lengths: np.ndarray, longest: int, args: argparse.Namespace
) -> dict[str, Any]:
    """Train one way for an epoch of ``lengths`` [batches, B]: seconds, MiB and first losses."""
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    way, step = WAYS[name], Step(shape, args.hidden)
    optimizer = torch.optim.Adam(step.parameters(), lr=1e-3)
    if way.sort:
        lengths = np.sort(lengths, axis=None).reshape(lengths.shape)
    batches = [
        make_batch(shape, own, longest if way.pad_to_set else int(own.max()), args.seed + i)
        for i, own in enumerate(lengths)
    ]
    base = peak_memory()
    losses = []
    with ExitStack() as stack:
        for module in (skeleton_gru, motion_prediction):
            stack.enter_context(mock.patch.object(module, 'run_packed_gru', way.run))
        start = time.perf_counter(), time.process_time()
        for clip, valid in batches:
            loss = step(clip, valid)
            optimizer.zero_grad()
            loss.sum().backward()
            optimizer.step()
            losses.append(loss.detach().tolist())
        elapsed, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
    return {
        'seconds': elapsed,
        'cpu_seconds': cpu,
        'peak_mib': peak_memory() - base,
        'first_losses': losses[0],
    }


def in_own_process(*args: Any) -> dict[str, Any]:
    """``train`` in a child, for the peak memory of a process never falls."""
    with multiprocessing.get_context('fork').Pool(1) as pool:
        return pool.apply(train, args)


def benchmark_set(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """Run all ways on one set and print its table."""
    # The first optimizer imports this, which takes seconds: once here, not in each child.
    import torch._dynamo  # noqa: F401

    shape = SETS[name]
    random = np.random.RandomState(args.seed)
    count = args.batches * args.batch_size
    drawn = name != 'nwucla' or not (args.data / 'clips.npz').is_file()
    if drawn:
        lengths, longest = shape.draw_lengths(count, random), shape.bounds[1]
    else:
        with np.load(args.data / 'clips.npz', allow_pickle=False) as clips:
            lengths, longest = random.choice(clips['lengths'], count), int(clips['lengths'].max())
    lengths = lengths.reshape(args.batches, args.batch_size)
    print(
        f'{name}: {shape.clips} clips an epoch, batch {args.batch_size}, {args.batches} steps '
        f'timed; lengths {"drawn" if drawn else "of " + str(args.data)}, mean '
        f'{lengths.mean():.1f}, longest {longest}'
    )
    row = '{:>16} {:>12} {:>12} {:>8} {:>10}'
    print(row.format('', 'CPU s/step', 'CPU s/epoch', 'ratio', 'peak MiB'), flush=True)
    results = {}
    for way in args.ways:
        results[way] = in_own_process(way, shape, lengths, longest, args)
        seconds = results[way]['cpu_seconds'] / args.batches
        ratio = results[way]['cpu_seconds'] / results[args.ways[0]]['cpu_seconds']
        epoch = results[way]['cpu_seconds_per_epoch'] = seconds * shape.clips / args.batch_size
        figures = [f'{seconds:.2f}', f'{epoch:.0f}', f'{ratio:.2f}']
        print(row.format(way, *figures, f'{results[way]["peak_mib"]:.0f}'), flush=True)
    summary = {'set': name, 'drawn': drawn, 'mean_length': float(lengths.mean()), 'ways': results}
    if {'ours', 'padded'} <= set(results):
        ratio = results['padded']['cpu_seconds'] / results['ours']['cpu_seconds']
        print(f'{"":>16} ours is {ratio:.2f} times faster than padded (floor {FLOOR})')
        summary.update(ratio=ratio, floor=FLOOR)
    if {'ours', 'torch-packed'} <= set(results):
        pairs = zip(results['ours']['first_losses'], results['torch-packed']['first_losses'])
        summary['loss_difference'] = max(abs(one - other) for one, other in pairs)
        print(f'{"":>16} losses differ from torch-packed by {summary["loss_difference"]:.1e}')
    return summary


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Run the benchmark and return its figures."""
    return {
        'batch_size': args.batch_size,
        'batches': args.batches,
        'hidden': args.hidden,
        'results': [benchmark_set(name, args) for name in args.sets],
        'versions': {'torch': torch.__version__},
    }
