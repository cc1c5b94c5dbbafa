"""Training steps of the five methods, against supervised steps of the same backbone.

A step is an iteration of the runner with all hooks of the config on a batch in memory, with targets
from caches, without data loading. The supervised step is that of mmaction2's recognizer with the
same backbone, on the same clips, with mmaction2's usual optimizer and hooks. mmaction2 has no GRU
for MS2L, which is compared with itself on clips padded to 300 frames, as in MS2L's released code;
lengths are random, like those of NTU RGB+D.

``--size full``: R3D-18 on 16 frames of 112x112; HCPG's second clip goes through a momentum encoder.
``small``: R3D-18 of a quarter of the width on 8 frames of 64x64, both clips through the student.
Videos, skeletons and targets are generated.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from interleave import compare
from made_data import build_made_set
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.utils.data import DataLoader

from mmact_ssl.datasets.loading import collate
from mmact_ssl.engine.config_reading import read_config
from mmact_ssl.engine.runner import PretrainRunner
from mmact_ssl.models.backbones import skeleton_gru
from mmact_ssl.models.heads import motion_prediction

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
METHODS = {
    'full': {
        'csvr': 'csvr_r3d_k400.py',
        'dtg': 'dtg_r3d_k400.py',
        'hcpg': 'hcpg_r3d_k400.py',
        'c2vl': 'c2vl_stgcn.py',
        'ms2l': 'ms2l_gru.py',
    },
    'small': {
        'csvr': 'csvr_r3d18-small.py',
        'dtg': 'dtg_r3d18-small.py',
        'hcpg': 'hcpg_r3d18-small.py',
        'c2vl': 'c2vl_stgcn.py',
        'ms2l': 'ms2l_gru.py',
    },
}
TARGETS = {'csvr': 1.35, 'dtg': 2.1, 'hcpg': 2.1, 'c2vl': 1.2, 'ms2l': 4.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--methods', nargs='+', choices=list(TARGETS), default=list(TARGETS))
    parser.add_argument('--size', choices=list(METHODS), default='small')
    parser.add_argument('--clips', type=int, default=8, help='of a batch of videos')
    parser.add_argument('--skeletons', type=int, default=32, help='of a batch of skeleton clips')
    parser.add_argument('--steps', type=int, default=5, help='timed steps of each kind')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='of the methods, e.g. train_dataloader.num_workers=0',
    )


def stepper(runner: Runner, batches: list[list[dict[str, Any]]]) -> Callable[[int], dict[str, Any]]:
    """A function that runs one iteration of a runner's loop and returns its losses.

    Iteration n reads batch n modulo their number. The batches are collated, and pinned if the
    runner's loader does so.
    """
    runner._train_loop = loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner._init_model_weights()
    for point in ('before_run', 'before_train', 'before_train_epoch'):
        runner.call_hook(point)
    runner.model.train()
    runner.optim_wrapper.initialize_count_status(runner.model, 0, loop.max_iters)
    own = loop.dataloader
    options = dict(collate_fn=own.collate_fn, pin_memory=own.pin_memory)
    ready = [next(iter(DataLoader(batch, len(batch), **options))) for batch in batches]
    logged: dict[str, Any] = {}
    train_step = runner.model.train_step

    def keep(*args: Any, **kwargs: Any) -> dict[str, Tensor]:
        logged.update(train_step(*args, **kwargs))
        return logged

    runner.model.train_step = keep

    def run(number: int) -> dict[str, Tensor]:
        loop.run_iter(number, ready[number % len(ready)])
        return {name: value.detach() for name, value in logged.items() if 'loss' in name}

    return run


def pretext(
    cfg: Config, samples: list[dict[str, Any]], folder: Path, padded: bool = False
) -> Callable[[int], Any]:
    """A method's step; with ``padded`` its GRUs read padding, too."""
    if padded:
        for module in (skeleton_gru, motion_prediction):
            mock.patch.object(module, 'run_packed_gru', run_over_padding).start()
    torch.manual_seed(0)
    cfg.work_dir = str(folder / f'work_dir_{padded}')
    cfg.train_dataloader = loader(samples, cfg)
    return in_numbers(stepper(quiet(PretrainRunner, cfg), [samples]))


def supervised(cfg: Config, samples: list[dict[str, Any]], folder: Path) -> Callable[[int], Any]:
    """The step of mmaction2's recognizer on the first view of the same samples."""
    torch.manual_seed(0)
    runner = supervised_config(cfg, folder / 'work_dir_supervised')
    labeled = label(cfg, samples)
    runner.train_dataloader = loader(labeled)
    return in_numbers(stepper(quiet(Runner, runner), [labeled]))


def supervised_config(cfg: Config, work_dir: Path) -> Config:
    """Training of mmaction2's recognizer with a method's backbone."""
    backbone = dict(cfg.model.backbone)
    head: dict[str, Any] = dict(num_classes=400)
    preprocessor: dict[str, Any] = dict(type='mmaction.ActionDataPreprocessor')
    pretext = cfg.model.data_preprocessor
    if pretext.type == 'SkeletonDataPreprocessor':
        kind = 'RecognizerGCN'
        head.update(type='mmaction.GCNHead', in_channels=256)
    elif cfg.model.get('frame_wise'):
        kind = 'Recognizer2D'
        segments = backbone['num_segments']
        head.update(type='mmaction.TSMHead', in_channels=2048, num_segments=segments)
        preprocessor.update(mean=pretext.mean, std=pretext.std, format_shape='NCHW')
    else:
        kind = 'Recognizer3D'
        backbone['out_indices'] = (3,)
        head.update(type='mmaction.I3DHead', in_channels=8 * backbone['base_channels'])
        preprocessor.update(mean=pretext.mean, std=pretext.std, format_shape='NCTHW')
    return Config(
        dict(
            default_scope='mmaction',
            work_dir=str(work_dir),
            model=dict(
                type=f'mmaction.{kind}',
                backbone=backbone,
                cls_head=head,
                data_preprocessor=preprocessor,
            ),
            train_cfg=dict(by_epoch=True, max_epochs=1),
            optim_wrapper=dict(
                type='OptimWrapper',
                optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4),
                clip_grad=dict(max_norm=40),
            ),
            log_level='WARNING',
        )
    )


def label(cfg: Config, samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first views of samples as inputs of mmaction2's recognizers, all of class 0."""
    clips = [sample['inputs']['clip'] for sample in samples]
    if cfg.model.get('frame_wise'):
        inputs = [clip.transpose(0, 1).contiguous() for clip in clips]  # (T, C, H, W)
    else:
        inputs = [clip[None] for clip in clips]  # (1, C, T, H, W) or (1, M, T, V, C)
    return [dict(inputs=x, data_samples=ActionDataSample().set_gt_label(0)) for x in inputs]


def in_numbers(step: Callable[[int], dict[str, Tensor]]) -> Callable[[int], dict[str, float]]:
    """Convert the losses of a step to numbers."""
    return lambda number: {name: float(value) for name, value in step(number).items()}


def quiet(kind: type[Runner], cfg: Config) -> Runner:
    """Build a runner that logs only to its file."""
    names = ('model', 'work_dir', 'train_dataloader', 'train_cfg', 'optim_wrapper', 'default_hooks')
    arguments = {name: cfg[name] for name in names if name in cfg}
    scope = cfg.default_scope
    return kind(
        **arguments,
        randomness=dict(seed=0),
        default_scope=scope,
        log_level='ERROR',
        experiment_name=cfg.work_dir,
    )


def loader(samples: list[dict[str, Any]], cfg: Config | None = None) -> DataLoader:
    """Loader of one batch in memory, with an epoch of a hundred steps for schedules and hooks.

    It collates and pins as in a method's config, or without one as in mmaction2's configs.
    """
    options: dict[str, Any] = dict(collate_fn=pseudo_collate)
    if cfg is not None:
        pin = cfg.train_dataloader.get('pin_memory', False) and torch.cuda.is_available()
        options = dict(collate_fn=collate, pin_memory=pin)
    return DataLoader(samples * 100, batch_size=len(samples), **options)


def run_over_padding(gru: nn.GRU, x: Tensor, lengths: Tensor) -> Tensor:
    """Run a GRU over 300 frames of each clip; its backward direction reads the padding first."""
    frames = x.shape[1]
    return gru(pad(x, (0, 0, 0, -frames % 300)))[0][:, :frames]


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Compare each method's step."""
    figures = []
    for method in args.methods:
        is_video = method in ('csvr', 'dtg', 'hcpg')
        path = str(CONFIGS / METHODS[args.size][method])
        cfg = read_config(path, args.cfg_options, dataset=None if is_video else 'ntu60-xsub')
        init_default_scope(cfg.default_scope)
        count = args.clips if is_video else args.skeletons
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            data_set = build_made_set(cfg, folder, count, args.cache, 2)
            samples = [data_set[index] for index in range(count)]
            del data_set  # the ways, which are forked, must not inherit its open files
            ways = {method: partial(pretext, cfg, samples, folder)}
            if method == 'ms2l':
                baseline = 'padded to 300'
                ways[baseline] = partial(pretext, cfg, samples, folder, padded=True)
            else:
                baseline = 'supervised'
                ways[baseline] = partial(supervised, cfg, samples, folder)
            shape = list(samples[0]['inputs']['clip'].shape)
            figures.append(
                compare(
                    f'{METHODS[args.size][method]}, {count} clips of {shape}',
                    ways,
                    baseline,
                    rounds=args.steps,
                    faster=method == 'ms2l',
                    target=TARGETS[method],
                )
            )
    return figures
