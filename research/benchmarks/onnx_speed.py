"""Size, accuracy and speed of ONNX files of students of every family, against torch on one core.

The network of each encoder has random weights. A round embeds one batch, without
decoding, in one thread: one video clip of the evaluation's length, or eight skeleton clips of 64
frames.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import interleave
import numpy as np
import onnxruntime
import torch

from mmact_ssl.apis.onnx_export import INPUT, OUTPUT, example_inputs, export_onnx
from mmact_ssl.configs.encoder_config import read_encoder
from mmact_ssl.encoders.encoder import Encoder, without_initial_weights
from mmact_ssl.io.records import Card

STUDENTS = (
    *('r3d18-small', 'r3d18', 'tsm-lite0'),
    *('gru', 'gru-streams', 'stgcn'),
)
CLIPS, FRAMES = 8, 64  # of skeletons


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--students', nargs='+', default=STUDENTS, help='of configs/encoders/')
    parser.add_argument('--rounds', type=int, default=5)


def make_student(name: str) -> Encoder:
    """An encoder with random weights."""
    text = name if name.startswith(('r', 't')) else f'{name},layout=kinect20'
    config = read_encoder(text)
    return Encoder.build(replace(config, backbone=without_initial_weights(config.backbone)))


def sample(model: Encoder) -> torch.Tensor:
    """A random normalized batch for one round."""
    shape = list(next(example_inputs(model)).shape)
    shape[0] = 1
    if model.config.is_skeleton:
        shape[0], shape[1], shape[3] = CLIPS, 1, FRAMES
    elif len(shape) == 6:
        shape[1] = 1
    return torch.from_numpy(np.random.default_rng(1).normal(size=shape).astype(np.float32))


def build(source: Encoder | Path, inputs: torch.Tensor) -> Callable[[int], np.ndarray]:
    """Embedding by an encoder, or by its exported file."""
    if isinstance(source, Path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(source), options, ['CPUExecutionProvider'])
        return lambda number: session.run([OUTPUT], {INPUT: inputs.numpy()})[0]

    def run(number: int) -> np.ndarray:
        with torch.inference_mode():
            return source.encode(inputs).numpy()

    return run


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Compare the students' files, one after the other."""
    torch.set_num_threads(1)
    args.cache.mkdir(parents=True, exist_ok=True)
    figures = []
    for name in args.students:
        model = make_student(name)
        inputs = sample(model)
        card = Card(name, {}, *['made'] * 5, '', 'float32', '')
        ways = dict(torch=model, onnxruntime=export_onnx(model, card, args.cache))
        summary = interleave.compare(
            f'{name} of {list(inputs.shape)}',
            {way: partial(build, source, inputs) for way, source in ways.items()},
            baseline='torch',
            rounds=args.rounds,
            faster=True,
        )
        expected, features = (summary['ways'][way].pop('results')[-1] for way in ways)
        size = ways['onnxruntime'].stat().st_size
        difference = float(np.abs(features - expected).max())
        largest = float(np.abs(expected).max())
        print(f'  {size / 2**20:.1f} MiB, features differ by {difference:.1e} of {largest:.3g}')
        figures.append({**summary, 'bytes': size, 'difference': difference, 'largest': largest})
    return figures
