"""Training steps on a GPU: single and mixed precision, memory formats, against supervised steps.

A step is an iteration of the runner with all hooks of the config on a batch in memory, with targets
from caches; it includes the transfer to the GPU. ``supervised`` is mmaction2's recognizer with the
same backbone on the first clip of the same samples. ``amp`` is ``tools/train.py --amp``,
``channels-last`` adds ``model.channels_last``, and ``compiled`` also compiles the student by
``torch.compile``.

``waits`` is the fraction of a step in which the GPU waits for Python and launches. ``loss`` is the
mean of the last round against that of ``float32`` (with TF32 in convolutions, torch's default). The
line of each config gives the samples a second of its own pipeline: if they are fewer than the clips
a second of a step, the GPU also waits for data.

Last come the windows a second of V-JEPA 2's architecture as a teacher: its network in half
precision and in float32, and ``whole``, with the preparation of frames on the processor.

The ways run one after the other, because nothing else runs on the GPU; the first round of each does
not count. Videos, skeletons and targets are generated, weights are random.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import os
import pickle
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from made_data import build_made_set
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from step_speed import CONFIGS, label, loader, quiet, stepper, supervised_config
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader

from mmact_ssl.engine.config_reading import read_config
from mmact_ssl.engine.launch import enable_mixed_precision
from mmact_ssl.engine.runner import PretrainRunner
from mmact_ssl.errors import ConfigError
from mmact_ssl.models.encoding import lay_out
from mmact_ssl.models.teachers import build_teacher

RECIPES = (
    'csvr_r3d_k400.py',
    'hcpg_r3d_k400.py',
    'dtg_r3d_k400.py',
    'c2vl_stgcn.py',
    'ms2l_gru.py',
)
SUPERVISED = ('supervised', 'supervised-amp', 'supervised-channels-last')
WAYS = (*SUPERVISED, 'float32', 'amp', 'channels-last', 'compiled')
COLUMNS = '  {:<24} {:>8} {:>20} {:>6} {:>6} {:>7}'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--recipes', nargs='+', default=list(RECIPES), help='files of configs/')
    parser.add_argument('--ways', nargs='+', choices=WAYS, default=list(WAYS[:-1]))
    parser.add_argument('--clips', type=int, help='of a batch (default: as the config has it)')
    parser.add_argument('--batches', type=int, default=4, help='that steps read in turn')
    parser.add_argument('--steps', type=int, default=10, help='of a round')
    parser.add_argument('--rounds', type=int, default=4, help='timed ones')
    parser.add_argument('--videos', type=int, default=4, help='generated ones, of 300 frames')
    parser.add_argument(
        '--size', type=int, nargs=2, default=(340, 256), metavar=('WIDTH', 'HEIGHT'), help='of them'
    )
    parser.add_argument('--workers', type=int, default=os.cpu_count(), help='of the loader')
    parser.add_argument('--seconds', type=float, default=10, help='of measuring the loader')
    parser.add_argument('--layers', type=int, default=24, help='of V-JEPA 2')
    parser.add_argument('--side', type=int, default=256, help='of the frames of V-JEPA 2')
    parser.add_argument('--windows', type=int, default=16, help='of V-JEPA 2 in a round')


def read_batches(cfg: Config, args: argparse.Namespace, folder: Path) -> tuple[list[Any], float]:
    """Batches of a config's own pipeline on generated data, and its samples a second."""
    size = args.clips or cfg.train_dataloader.batch_size
    count = size * args.batches
    data_set = build_made_set(cfg, folder, count, args.cache, args.videos, tuple(args.size))
    # Single samples, so that all workers work on the first batch.
    endless = itertools.chain.from_iterable(itertools.repeat(range(count)))
    options: dict[str, Any] = dict(sampler=endless, num_workers=args.workers)
    # As bytes: tensors from workers would hold file descriptors open.
    reader = iter(DataLoader(data_set, None, collate_fn=pickle.dumps, **options))
    samples = [pickle.loads(next(reader)) for _ in range(count)]
    start, count_read = time.perf_counter(), 0
    while time.perf_counter() < start + args.seconds:
        pickle.loads(next(reader))
        count_read += 1
    rate = count_read / (time.perf_counter() - start)
    return [samples[first : first + size] for first in range(0, count, size)], rate


def measure(
    cfg: Config, batches: list[Any], way: str, folder: Path, args: argparse.Namespace
) -> dict[str, Any]:
    """Seconds of a step by round, seconds with a busy GPU, peak memory in GiB, and losses."""
    runner, batches = build(cfg, batches, way, folder)
    step = stepper(runner, batches)
    if way == 'supervised-channels-last':
        lay_out(runner.model, True)
    if way == 'compiled':
        runner.model.backbone.compile()
    on_gpu = torch.cuda.is_available()
    wait: Callable = torch.cuda.synchronize if on_gpu else int
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    seconds, losses = [], []
    numbers = itertools.count()
    for _ in range(1 + args.rounds):
        wait()
        start = time.perf_counter()
        taken = [step(next(numbers))['loss'] for _ in range(args.steps)]
        wait()
        seconds.append((time.perf_counter() - start) / args.steps)
        losses.append([float(loss) for loss in taken])
    peak = torch.cuda.max_memory_allocated() / 2**30 if on_gpu else 0.0
    busy = None
    if on_gpu:
        with profile(activities=[ProfilerActivity.CUDA]) as profiler:
            for _ in range(args.steps):
                step(next(numbers))
            wait()
        busy = busy_seconds(profiler.key_averages()) / args.steps
    return dict(seconds=seconds[1:], busy=busy, peak_gib=peak, losses=losses)


def build(cfg: Config, batches: list[Any], way: str, folder: Path) -> tuple[Runner, list[Any]]:
    """The runner of a way, and its batches."""
    cfg = cfg.copy()
    kind: type[Runner] = PretrainRunner
    if way in SUPERVISED:
        kind, batches = Runner, [label(cfg, batch) for batch in batches]
        cfg = supervised_config(cfg, folder)
    elif way in ('channels-last', 'compiled'):
        cfg.model.channels_last = True
    if way not in ('supervised', 'float32'):
        enable_mixed_precision(cfg)
    cfg.work_dir = str(folder / way)
    cfg.train_dataloader = loader(batches[0], None if way in SUPERVISED else cfg)
    return quiet(kind, cfg), batches


def busy_seconds(events: Iterable[Any]) -> float:
    """Seconds in which the GPU computes or copies."""
    # Without ranges such as "Optimizer.step#Adam.step", which repeat the kernels inside.
    own = [event for event in events if not event.key.startswith(('Optimizer.', 'ProfilerStep'))]
    return sum(event.self_device_time_total for event in own) / 1e6


def check_gpu() -> None:
    """Raise ConfigError without a GPU."""
    if not torch.cuda.is_available():
        raise ConfigError('this benchmark needs a GPU and torch sees none')


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Compare the ways of each recipe."""
    check_gpu()
    figures = []
    for recipe in args.recipes:
        dataset = 'ntu60-xsub' if recipe in ('c2vl_stgcn.py', 'ms2l_gru.py') else None
        cfg = read_config(str(CONFIGS / recipe), dataset=dataset)
        if cfg.model.backbone.get('pretrained'):
            cfg.model.backbone.pretrained = None
            if 'TSM' in cfg.model.backbone.type:  # else it would still read the file
                cfg.model.backbone.pretrained2d = False
        init_default_scope(cfg.default_scope)
        is_gru = cfg.model.backbone.type.endswith('SkeletonGRU')  # mmaction2 has none
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            batches, rate = read_batches(cfg, args, folder / 'data')
            shape = list(batches[0][0]['inputs']['clip'].shape)
            print(
                f'{recipe}, {len(batches[0])} clips of {shape}; '
                f'its pipeline gives {rate:.0f} samples a second from {args.workers} workers'
            )
            print(COLUMNS.format('', 'clips/s', 'time (range)', 'GiB', 'waits', 'loss'))
            ways: dict[str, Any] = {}
            for way in args.ways:
                if is_gru and way in (*SUPERVISED, 'channels-last'):
                    continue
                ways[way] = measure(cfg, batches, way, folder, args)
                gc.collect()
                print_row(way, ways, len(batches[0]))
        figures.append(
            dict(recipe=recipe, clips=len(batches[0]), shape=shape, loader=rate, ways=ways)
        )
    return [*figures, *(measure_teacher(args, frames) for frames in (16, 64))]


def measure_teacher(args: argparse.Namespace, frames: int) -> dict[str, Any]:
    """Windows a second of V-JEPA 2's architecture with random weights, by round."""
    config = transformers.VJEPA2Config(
        num_hidden_layers=args.layers, crop_size=args.side, pred_num_hidden_layers=1
    )
    with tempfile.TemporaryDirectory() as folder:
        transformers.AutoModel.from_config(config).save_pretrained(folder)
        transformers.VJEPA2VideoProcessor(crop_size=args.side).save_pretrained(folder)
        settings = dict(type='TransformersTeacher', model=folder, frames=frames, batch_size=8)
        teacher = build_teacher(settings).to(get_device())
    width, height = args.size
    clips = torch.randint(0, 256, (args.windows, frames, 3, height, width), dtype=torch.uint8)
    shape = (args.windows, 3, frames, args.side, args.side)
    inputs = torch.randn(shape, device=teacher.device)

    def embed(grad: bool) -> torch.Tensor:
        with torch.set_grad_enabled(grad):  # half precision is for features without gradient
            return teacher.frozen(inputs).cpu()

    ways = {'half': lambda: embed(False), 'float32': lambda: embed(True)}
    ways['whole'] = lambda: teacher(clips)
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(1 + args.rounds):
        for way, embed_windows in ways.items():
            start = time.perf_counter()
            embed_windows()
            rates[way] += [args.windows / (time.perf_counter() - start)][:number]
    exact = embed(True)
    error = float((embed(False) - exact).norm() / exact.norm())
    shown = ', '.join(f'{way} {np.median(found):.1f}' for way, found in rates.items())
    print(f'V-JEPA 2, windows of {frames} frames a second: {shown}; half precision off {error:.1e}')
    return dict(network='vjepa2', frames=frames, rates=rates, error=error)


def print_row(way: str, ways: dict[str, Any], clips: int) -> None:
    """Print a way: clips a second, costs, memory, waiting and loss."""
    own = ways[way]
    base = next((ways[name] for name in ('supervised', 'float32') if name in ways), own)
    seconds = np.median(own['seconds'])
    ratios = np.divide(own['seconds'], np.median(base['seconds']))
    cost = f'{np.median(ratios):.2f} ({ratios.min():.2f}..{ratios.max():.2f})'
    waits = '' if own['busy'] is None else f'{1 - own["busy"] / seconds:.0%}'
    loss = ''
    if 'float32' in ways and way not in SUPERVISED:
        last, exact = (np.mean(way['losses'][-1]) for way in (own, ways['float32']))
        loss = f'{last / exact - 1:+.1%}'
    row = (f'{clips / seconds:.0f}', cost, f'{own["peak_gib"]:.1f}', waits, loss)
    print(COLUMNS.format(way, *row), flush=True)
