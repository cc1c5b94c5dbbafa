"""Search among millions of made rows: recall against exact search, queries a second, memory.

Sixteen neighboring rows are normal deviates around one center, the standard deviation ``--noise``
times that of the centers, and a query is one more deviate around the center of a row. The index is
the one that ``RetrievalInferencer`` writes; its exact search reads every row. Each phase has its
processor time and the most memory that the whole process has held up to its end.
"""

from __future__ import annotations

import argparse
import resource  # Unix only
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmact_ssl.apis import feature_index
from mmact_ssl.errors import ConfigError, import_extra
from mmact_ssl.evaluation.features import normalize

IN_A_CLUSTER = 16
AT_ONCE = 1 << 16  # rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument('--rows', type=int, default=1_100_000, help='above a million: faiss')
    parser.add_argument('--channels', type=int, default=256)
    parser.add_argument('--queries', type=int, default=200)
    parser.add_argument('--top', type=int, default=10)
    parser.add_argument('--noise', type=float, default=0.7)


def make_rows(number: int, count: int, channels: int, noise: float) -> tuple[np.ndarray, ...]:
    """Centers float32 ``(n, C)`` and the rows around them ``(count, C)``, the same every time."""
    random = np.random.default_rng(number)
    centers = random.standard_normal((-(-count // IN_A_CLUSTER), channels), np.float32)
    rows = noise * random.standard_normal((count, channels), np.float32)
    rows += centers.repeat(IN_A_CLUSTER, axis=0)[:count]
    return centers, rows


@contextmanager
def phase(name: str, found: dict[str, Any]) -> Iterator[None]:
    """Measure a phase: processor seconds, and the most MiB that the process has held so far."""
    start = time.process_time()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found[name] = dict(cpu_seconds=time.process_time() - start, peak_mib=peak)
    print(f'  {name:<24} {found[name]["cpu_seconds"]:>9.1f} CPU s {peak:>9.0f} MiB', flush=True)


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Fill an index, search it by codes and exactly, and compare."""
    import_extra('faiss', 'a large index', 'search')
    if args.rows <= feature_index.FAISS_ABOVE:
        raise ConfigError(
            f'--rows {args.rows}: up to {feature_index.FAISS_ABOVE} an index is searched exactly; '
            'give more'
        )
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    print(f'{args.rows} x {args.channels}, {args.queries} queries')
    args.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.cache) as folder:
        index = feature_index.FeatureIndex(Path(folder) / 'made.index', {'model': 'made'})
        queries = []
        chunks = -(-args.rows // AT_ONCE)
        for_each = np.bincount(np.arange(args.queries) % chunks, minlength=chunks)
        random = np.random.default_rng(args.rows)
        with phase('rows written', found):
            for number, wanted in enumerate(for_each):
                first = number * AT_ONCE
                count = min(AT_ONCE, args.rows - first)
                centers, rows = make_rows(number, count, args.channels, args.noise)
                names = [feature_index.Window(f'{first + i}.mp4', 0, 1) for i in range(count)]
                index.add(names, rows)
                asked = centers[random.integers(len(centers), size=wanted)]
                queries.append(asked + args.noise * random.standard_normal(asked.shape))
        unit = normalize(np.concatenate(queries))
        with phase('codes trained and filled', found):
            index.search(unit[:1], args.top)
        with phase('search by codes', found):
            _, rows = index.search(unit, args.top)
        with phase('exact search', found):
            # Another function than `normalize` itself, for which alone there are codes.
            _, exact = index.search(unit, args.top, lambda features: normalize(features))
        index.close()
    shared = [len(set(row) & set(best)) / args.top for row, best in zip(rows, exact)]
    found['recall'] = float(np.mean(shared))
    found['queries_a_second'] = len(unit) / found['search by codes']['cpu_seconds']
    print(
        f'  recall@{args.top} {found["recall"]:.4f}, {found["queries_a_second"]:.1f} queries a '
        'second of processor time'
    )
    return [found]
