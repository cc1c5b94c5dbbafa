"""Size, accuracy and speed of ONNX files of students of every family, against torch on one core.

The network of each downstream config has random weights. A round embeds one batch, without
decoding, in one thread: one video clip of the evaluation's length, or eight skeleton clips of 64
frames.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import interleave
import numpy as np
import onnxruntime
import torch

from mmact_ssl.apis.load import load_file
from mmact_ssl.apis.model import PretrainedModel
from mmact_ssl.apis.onnx_export import INPUT, OUTPUT, example_inputs, export_onnx
from mmact_ssl.apis.publish import make_card, write_model
from mmact_ssl.checkpoint_file import ONNX
from mmact_ssl.engine.launch import read_config
from mmact_ssl.evaluation.student import build_recognizer
from mmact_ssl.shipped_configs import DOWNSTREAM

STUDENTS = (
    *('r3d18-small', 'r3d18', 'tsm-lite0'),
    *('gru', 'gru-streams', 'stgcn'),
)
CLIPS, FRAMES = 8, 64  # of skeletons


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--students', nargs='+', default=STUDENTS, help='of configs/downstream/')
    parser.add_argument('--rounds', type=int, default=5)


def write_student(name: str, folder: Path) -> PretrainedModel:
    """Publish a config's network with random weights, and load it."""
    dataset = 'ucf101' if name.startswith(('r', 't')) else 'nwucla'
    cfg = read_config(str(DOWNSTREAM / f'{name}.py'), dataset=dataset)
    if cfg.model.backbone.get('checkpoint') is not None:
        cfg.model.backbone.checkpoint = None
    known = dict.fromkeys(('method', 'config', 'trained_on', 'licence', 'source_sha256'), 'made')
    card = make_card(cfg, name=name, precision='float32', **known)
    backbone = build_recognizer(cfg, 0).backbone
    state = backbone.state_dict()
    weights = {f'backbone.{key}': value.contiguous() for key, value in state.items()}
    return load_file(write_model(weights, folder, card))


def sample(model: PretrainedModel) -> torch.Tensor:
    """A random normalized batch for one round."""
    shape = list(next(example_inputs(model)).shape)
    shape[0] = 1
    if model.card.kind == 'skeleton':
        shape[0], shape[1], shape[3] = CLIPS, 1, FRAMES
    elif len(shape) == 6:
        shape[1] = 1
    return torch.from_numpy(np.random.default_rng(1).normal(size=shape).astype(np.float32))


def build(path: Path | str, inputs: torch.Tensor) -> Callable[[int], np.ndarray]:
    """Embedding by the model of a file."""
    if str(path).endswith(ONNX):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, ['CPUExecutionProvider'])
        return lambda number: session.run([OUTPUT], {INPUT: inputs.numpy()})[0]
    model = load_file(path)

    def run(number: int) -> np.ndarray:
        with torch.inference_mode():
            return model.encode(inputs).numpy()

    return run


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Compare the students' files, one after the other."""
    torch.set_num_threads(1)
    args.cache.mkdir(parents=True, exist_ok=True)
    figures = []
    for name in args.students:
        model = write_student(name, args.cache)
        inputs = sample(model)
        files = dict(torch=model.path, onnxruntime=export_onnx(model, args.cache))
        summary = interleave.compare(
            f'{name} of {list(inputs.shape)}',
            {way: partial(build, path, inputs) for way, path in files.items()},
            baseline='torch',
            rounds=args.rounds,
            faster=True,
        )
        expected, features = (summary['ways'][way].pop('results')[-1] for way in files)
        size = files['onnxruntime'].stat().st_size
        difference = float(np.abs(features - expected).max())
        largest = float(np.abs(expected).max())
        print(f'  {size / 2**20:.1f} MiB, features differ by {difference:.1e} of {largest:.3g}')
        figures.append({**summary, 'bytes': size, 'difference': difference, 'largest': largest})
    return figures
