#!/usr/bin/env python
"""Measure how fast this package is against mmaction2, scikit-learn and released code.

    python research/benchmark.py MODE [options] [--json FILE]
    python research/benchmark.py MODE --help

``data``: samples of one data worker, against mmaction2's decord pipeline.

``skeletons``: skeleton clips of one data worker, against mmaction2's PoseDataset.

``step``: training steps of the five methods, against supervised steps of the same backbone.

``teachers``: a training step with targets from caches, from teachers online, and without.

``extract``: frames a second of the extraction of targets, against decoding, and the caches' size.

``evaluate``: linear probe, nearest neighbors and retrieval, against scikit-learn.

``startup``: a program up to its first training step, and ``--help`` of all tools.

``scale``: two processes on two cores, against one.

``onnx``: students as ONNX files, against torch.

``gpu``: training steps on a GPU, in single and mixed precision, against supervised steps.

Each prints ratios of runs, which are interleaved except for ``gpu``. The files in
research/benchmarks/ describe the comparisons.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from mmact_ssl_cli import Parser

MODES = {
    'data': 'data_speed',
    'skeletons': 'skeleton_speed',
    'step': 'step_speed',
    'teachers': 'teacher_speed',
    'extract': 'extract_speed',
    'evaluate': 'evaluate_speed',
    'startup': 'startup_speed',
    'scale': 'scale_speed',
    'onnx': 'onnx_speed',
    'gpu': 'gpu_speed',
}
PACKAGES = ('torch', 'mmengine', 'mmaction2', 'numpy', 'scikit-learn', 'av', 'decord')
sys.path[:0] = [str(Path(__file__).parent / 'benchmarks'), str(Path(__file__).resolve().parents[1])]


def main(argv: list[str] | None = None) -> None:
    """Run a benchmark, and write its figures, the machine and the versions."""
    parser = Parser(description=__doc__)
    parser.add_argument('mode', choices=list(MODES))
    parser.add_argument('options', nargs=argparse.REMAINDER, help='see benchmark.py MODE --help')
    args = parser.parse_args(argv)

    # `step` runs in forked processes, where CUDA fails if this process has initialized it.
    os.environ.setdefault('PYTORCH_NVML_BASED_CUDA_CHECK', '1')
    import torch

    from mmact_ssl.errors import one_line_errors

    benchmark = importlib.import_module(MODES[args.mode])
    parser = Parser(prog=f'benchmark.py {args.mode}', description=benchmark.__doc__)
    benchmark.add_arguments(parser)
    parser.add_argument('--json', type=Path, help='write the figures to this file')
    parser.add_argument(
        '--cache', type=Path, default=Path('work_dirs/benchmark'), help='folder of generated files'
    )
    chosen = parser.parse_args(args.options)
    with one_line_errors():
        results = benchmark.run(chosen)
    if chosen.json:
        options = {key: str(value) for key, value in vars(chosen).items() if key != 'json'}
        figures = {
            'benchmark': args.mode,
            'options': options,
            'results': results,
            'machine': {
                'processor': platform.machine(),
                'cores': os.cpu_count(),
                'gpu': torch.cuda.get_device_name() if torch.cuda.is_available() else None,
                'cuda': torch.version.cuda,
            },
            'versions': {name: version(name) for name in PACKAGES},
        }
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(figures, indent=2) + '\n')


if __name__ == '__main__':
    main()
