"""Training steps on a GPU: single and mixed precision, compiled or not, against supervised steps.

A step is an iteration of the runner with all hooks of the config on a batch in memory, targets from
caches included; its data goes to the GPU within it. ``supervised`` is mmaction2's recognizer with
the same backbone on the first clip of the same samples. ``waits`` is the share of a step in which
no kernel runs on the GPU: what Python, launches and copies take. ``loss`` is the mean of the last
round against that of single precision (``float32``, in which torch lets convolutions round to
TF32). ``amp`` is what ``tools/train.py --amp`` does, ``compiled`` besides ``compile=True``, and
``channels-last`` besides a student whose weights and maps lie in that memory format.

The line of each config tells how many samples a second its own loader gives with all cores: where
this is below the clips a second of a step, the GPU waits for data.

Videos, skeletons and targets are generated, weights are random.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from interleave import Way
from made_data import draw_lengths, make_videos, use_skeletons, use_videos
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from step_speed import CONFIGS, label, loader, quiet, stepper, supervised_config
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader

from mmact_ssl.engine.launch import enable_mixed_precision, read_config
from mmact_ssl.engine.runner import PretrainRunner
from mmact_ssl.registry import DATASETS

RECIPES = (
    'csvr_r3d_k400.py',
    'hcpg_r3d_k400.py',
    'dtg_r3d_k400.py',
    'dtg_tsm-r50_k400.py',
    'c2vl_stgcn_ntu60-xsub.py',
    'ms2l_gru_ntu60-xsub.py',
)
WAYS = ('supervised', 'supervised-amp', 'float32', 'amp', 'channels-last', 'compiled', 'compiled-student')
PLAIN = ('float32', 'amp', 'compiled', 'compiled-student')
COLUMNS = '  {:<16} {:>9} {:>19} {:>8} {:>9} {:>8}  {}'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument('--recipes', nargs='+', default=list(RECIPES), help='files of configs/')
    parser.add_argument('--ways', nargs='+', choices=WAYS, default=list(WAYS[:-2]))
    parser.add_argument('--clips', type=int, help='of a batch (default: as the config has it)')
    parser.add_argument('--batches', type=int, default=4, help='that steps read in turn')
    parser.add_argument('--steps', type=int, default=20, help='of a round')
    parser.add_argument('--rounds', type=int, default=3, help='timed ones, after one to warm up')
    parser.add_argument('--videos', type=int, default=8, help='generated ones, of 300 frames')
    parser.add_argument('--seconds', type=int, default=10, help='of measuring the loader')
    parser.add_argument('--workers', type=int, default=os.cpu_count(), help='of the loader')


def read_batches(cfg: Config, args: argparse.Namespace, folder: Path) -> tuple[list[Any], float]:
    """Batches of a config's own loader on generated data, and samples a second that it gives."""
    size = args.clips or cfg.train_dataloader.batch_size
    count = size * args.batches
    if cfg.model.data_preprocessor.type == 'SkeletonDataPreprocessor':
        bodies = cfg.bodies
        use_skeletons(cfg, folder, draw_lengths(count), bodies.layout, bodies.num_persons)
    else:
        use_videos(cfg, folder, make_videos(args.cache, args.videos), count)
    data_set = DATASETS.build(cfg.train_dataloader.dataset)
    data_set.set_progress(0, 0)
    endless = DataLoader(
        data_set,
        size,
        sampler=itertools.chain.from_iterable(itertools.repeat(range(count))),
        num_workers=args.workers,
        collate_fn=list,
    )
    batches: list[Any] = []
    # As long again before, in which its queues fill and are emptied once.
    start, given = time.perf_counter() + args.seconds, 0
    for batch in endless:
        if len(batches) < args.batches:
            batches.append(batch)
        now = time.perf_counter()
        given += size if now > start else 0
        if len(batches) == args.batches and now > start + args.seconds:
            break
    return batches, given / (now - start)


def build(cfg: Config, batches: list[Any], way: str, folder: Path, steps: int) -> Callable:
    """Build a way in its process; what it gives runs a round of steps."""
    torch.manual_seed(0)
    kind: type[Runner] = PretrainRunner
    if way.startswith('supervised'):
        kind, batches = Runner, [label(cfg, batch) for batch in batches]
        cfg = supervised_config(cfg, folder)
    if way not in ('supervised', 'float32'):
        enable_mixed_precision(cfg)
    cfg.work_dir = str(folder / way)
    cfg.train_dataloader = loader(batches[0])
    runner = quiet(kind, cfg)
    step = stepper(runner, batches)
    if way == 'channels-last':
        is_3d = '3d' in cfg.model.backbone.type
        runner.model.backbone.to(
            memory_format=torch.channels_last_3d if is_3d else torch.channels_last
        )
    if way == 'compiled':
        runner.cfg.compile = True
        runner._maybe_compile('train_step')
    if way == 'compiled-student':
        runner.model.backbone.compile()
    on_gpu = torch.cuda.is_available()
    numbers = itertools.count()

    def run_round(round_: int) -> dict[str, Any]:
        wait = torch.cuda.synchronize if on_gpu else int
        wait()
        start = time.perf_counter()
        losses = [step(next(numbers)) for _ in range(steps)]
        wait()
        seconds = (time.perf_counter() - start) / steps
        kernels = kernel_seconds(lambda: step(next(numbers))) if on_gpu else seconds
        totals = [float(one['loss']) for one in losses]
        peak = torch.cuda.max_memory_allocated() / 2**30 if on_gpu else 0.0
        return dict(step_seconds=seconds, kernels=kernels, losses=totals, peak_gib=peak)

    return run_round


def kernel_seconds(step: Callable[[], Any]) -> float:
    """Seconds in which the GPU runs kernels of a step."""
    with profile(activities=[ProfilerActivity.CUDA]) as found:
        step()
        torch.cuda.synchronize()
    return sum(event.self_device_time_total for event in found.key_averages()) / 1e6


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Compare the ways of each recipe."""
    found = []
    for recipe in args.recipes:
        cfg = read_config(str(CONFIGS / recipe), [])
        if cfg.model.backbone.get('pretrained'):
            cfg.model.backbone.update(pretrained=None, pretrained2d=False)
        init_default_scope(cfg.default_scope)
        names = [
            way
            for way in args.ways
            # mmaction2 has no GRU of skeletons, which has no convolutions either.
            if not cfg.model.backbone.type.endswith('SkeletonGRU') or way in PLAIN
        ]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            batches, rate = read_batches(cfg, args, folder / 'data')
            ways = {
                way: Way(partial(build, cfg, batches, way, folder, args.steps), False)
                for way in names
            }
            try:
                rounds = run_in_turn(ways, args.rounds)
            finally:
                for way in ways.values():
                    way.process.kill()
                    way.process.join()
        shape = list(batches[0][0]['inputs']['clip'].shape)
        found.append(dict(recipe=recipe, clips=len(batches[0]), shape=shape, loader=rate, **rounds))
        print_table(found[-1], args.workers)
    return found


def run_in_turn(ways: dict[str, Way], rounds: int) -> dict[str, Any]:
    """Build the ways and run their rounds in turn; a way that fails is told and left out."""
    runs: dict[str, list[Any]] = {name: [] for name in ways}
    failed: dict[str, str] = {}

    def measure(name: str, number: int | None) -> None:
        if name in failed:
            return
        try:
            measured = ways[name].run(number)
        except Exception as error:  # noqa: BLE001  (the other ways go on)
            failed[name] = f'{type(error).__name__}: {error}'.splitlines()[0]
            return
        if number is not None and number >= 0:
            runs[name].append(measured['result'])

    with ThreadPoolExecutor(len(ways)) as pool:  # nothing is timed yet
        list(pool.map(lambda name: measure(name, None), ways))
    for number in range(-1, rounds):
        for name in ways:
            measure(name, number)
    return dict(ways={name: own for name, own in runs.items() if own}, failed=failed)


def print_table(found: dict[str, Any], workers: int) -> None:
    """Print a recipe's ways: clips a second, costs, memory, waiting and loss."""
    print(
        f'{found["recipe"]}, {found["clips"]} clips of {found["shape"]}; '
        f'the loader gives {found["loader"]:.0f} samples a second from {workers} workers'
    )
    print(COLUMNS.format('', 'clips/s', 'time (range)', 'GiB', 'waits', 'loss', ''))
    ways = found['ways']
    base = next((ways[n] for n in ('supervised', 'float32') if n in ways), None)
    for name, rounds in ways.items():
        seconds = np.array([one['step_seconds'] for one in rounds])
        cost = ''
        if base is not None:
            ratios = seconds / [one['step_seconds'] for one in base]
            cost = f'{np.median(ratios):.2f} ({ratios.min():.2f}..{ratios.max():.2f})'
        waits = 1 - np.median([one['kernels'] for one in rounds]) / np.median(seconds)
        loss = ''
        if 'float32' in ways and not name.startswith('supervised'):
            means = [np.mean(rounds_[-1]['losses']) for rounds_ in (rounds, ways['float32'])]
            loss = f'{means[0] / means[1] - 1:+.1%}'
        peak = max(one['peak_gib'] for one in rounds)
        clips = found['clips'] / np.median(seconds)
        row = (f'{clips:.0f}', cost, f'{peak:.1f}', f'{waits:.0%}', loss)
        print(COLUMNS.format(name, *row, ''), flush=True)
    for name, why in found['failed'].items():
        print(f'  {name:<16} {why}', flush=True)
