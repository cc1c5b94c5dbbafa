#!/usr/bin/env python
"""Measure how fast this package is against mmaction2 and against released code.

    python tools/benchmark.py data [--videos FILE ...] [--samples N] [--out FILE.json]
    python tools/benchmark.py ms2l [--sets nwucla ntu] [--batches N] [--out FILE.json]
    python tools/benchmark.py teachers [--config CONFIG] [--steps N] [--out FILE.json]
    python tools/benchmark.py conflict [--config CONFIG] [--steps N] [--out FILE.json]

``data``: samples per second of one data worker, against mmaction2's decord pipeline.

``ms2l``: seconds and memory of MS2L's training step on skeleton clips of unequal length, by ways to
run its GRUs.

``teachers``: seconds of a training step with targets from caches and from teachers online.

``conflict``: what GradientConflictHook adds to a training step.

Each is a file in tools/benchmarks/, which describes what is compared.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from pathlib import Path

MODES = {
    'data': 'data_speed',
    'ms2l': 'ms2l_speed',
    'teachers': 'teacher_speed',
    'conflict': 'conflict_speed',
}
sys.path.insert(0, str(Path(__file__).resolve().parent / 'benchmarks'))


def main(argv: list[str] | None = None) -> None:
    """Run a benchmark and write its figures, the mode and the machine."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('mode', choices=list(MODES))
    parser.add_argument('options', nargs=argparse.REMAINDER, help='see benchmark.py MODE --help')
    args = parser.parse_args(argv)

    # Not before: `--help` does not wait for torch.
    import mmact_ssl  # noqa: F401  (fixes upstream before anything of mmaction2 is imported)
    from mmact_ssl.errors import one_line_errors

    benchmark = importlib.import_module(MODES[args.mode])
    parser = argparse.ArgumentParser(
        prog=f'benchmark.py {args.mode}',
        description=benchmark.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    benchmark.add_arguments(parser)
    parser.add_argument('--out', type=Path, help='write the figures to this JSON file')
    chosen = parser.parse_args(args.options)
    with one_line_errors():
        figures = benchmark.run(chosen)
    figures = {
        'benchmark': args.mode,
        **figures,
        'machine': {'processor': platform.machine(), 'cores': os.cpu_count()},
    }
    if chosen.out:
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_text(json.dumps(figures, indent=2) + '\n')


if __name__ == '__main__':
    main()
