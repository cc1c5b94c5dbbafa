"""The five methods and mixes with later ones, each as a shipped config cut down to seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from torch import nn

from mmact_ssl.engine.config_reading import read_config
from mmact_ssl.preparation.skeletons import SkeletonWriter
from mmact_ssl.registry import DATASETS, MODELS
from mmact_ssl.targets.cache import TargetMeta, TargetWriter
from tests.helpers.videos import write_video

SAMPLES = 7  # an odd number: the last batch is smaller
FRAMES, SIZE = 20, 32
VIDEO = ['model.backbone.base_channels=4']
HEAD, EMBEDDING = 'hidden_dim=16', 'embedding_dim=8'
TRANSFORMER = [f'model.backbone.{size}' for size in ('embed_dims=16', 'depth=1', 'num_heads=2')]
MIXED = ('contrast', 'barlow', 'vicreg', 'simsiam', 'dino')


def small(heads: Sequence[str], channels: int, *settings: str) -> list[str]:
    """Options of heads that read features of so many channels."""
    settings = (f'in_channels={channels}', *settings)
    return [f'model.heads.{head}.{setting}' for head in heads for setting in settings]


# Method -> config and its options; those of skeletons read --set nwucla. Together they have an
# adversary, momentum copies and queues, schedules by step and by epoch, clipping, gradients that
# accumulate over the ends of epochs, an average of the weights, and one worker that lives on.
METHODS: dict[str, tuple[str, list[str]]] = {
    'csvr': (
        'configs/csvr_r3d_demo.py',
        [
            *VIDEO,
            'model.adapters.dynamic.in_channels=32',
            'model.adapters.static.in_channels=8',
            'model.heads.pose.hidden_dim=16',
            'model.heads.context.frame_encoder.base_channels=4',
            'model.heads.context.frame_encoder.stem_channels=4',
            'model.heads.context.frame_channels=32',
            'model.heads.current.channels=8',
            'model.heads.future.channels=8',
            'model.heads.future.discriminator_channels=4',
            'train_dataloader.num_workers=1',
            'train_dataloader.persistent_workers=True',
        ],
    ),
    'dtg': (
        'configs/dtg_r3d18-small.py',
        [
            *VIDEO,
            *small(['guidance'], 32, HEAD, 'teachers.imagenet.channels=16'),
            *small(['contrast'], 32, HEAD, EMBEDDING),
            'optim_wrapper.accumulative_counts=2',
        ],
    ),
    'hcpg': (
        'configs/hcpg_r3d_demo.py',
        [
            *VIDEO,
            *(f'model.adapters.{a}.in_channels=32' for a in ('appearance', 'motion', 'parsing')),
            *(f'model.heads.{head}.hidden_dim=16' for head in ('appearance', 'motion', 'parsing')),
            'model.encode=[clip]',
            'model.momentum_encoder.views=[clip_b]',
            'model.momentum_encoder.momentum=0.9',
            *(f'model.heads.{head}.momentum=0.9' for head in ('appearance', 'motion')),
            *(f'model.heads.{head}.queue_size=5' for head in ('appearance', 'motion')),
        ],
    ),
    'ms2l': (
        'configs/ms2l_gru.py',
        [
            'model.backbone.hidden_size=8',
            *small(['motion', 'jigsaw'], 16),
            *small(['contrast'], 16, HEAD, EMBEDDING),
            'param_scheduler.0.milestones=[5]',
        ],
    ),
    'c2vl': (
        'configs/c2vl_gru.py',
        [
            'model.backbone.encoder.hidden_size=8',
            *small(['prompts'], 96, 'prompt_channels=16'),
            'default_hooks.ema.type=EMAHook',
            'default_hooks.ema.momentum=0.1',
        ],
    ),
    'ms2l-masked': (
        'configs/ms2l-masked_stt.py',
        [*TRANSFORMER, *small(['contrast'], 16, HEAD, EMBEDDING), *small(['motion'], 16, HEAD)],
    ),
    'latent': (
        'configs/latent_stt.py',
        [
            *TRANSFORMER,
            *small(['latent'], 16, HEAD),
            'param_scheduler.0.end=2',
            'param_scheduler.1.begin=2',
            'param_scheduler.1.end=20',
        ],
    ),
    # MS2L, Barlow Twins, VICReg, DINO and SimSiam on one student.
    'mix': (
        'configs/ms2l-twoview_gru.py',
        [
            'model.backbone.encoder.hidden_size=8',
            'model.momentum_encoder.views=[one,two]',
            'model.momentum_encoder.momentum=0.9',
            'model.balancer.type=FixedWeights',
            'model.balancer.weights.barlow=0.01',
            'model.heads.barlow.type=RedundancyHead',
            'model.heads.barlow.loss.type=BarlowTwinsLoss',
            'model.heads.barlow.streams=3',
            'model.heads.vicreg.type=RedundancyHead',
            'model.heads.vicreg.loss.type=VICRegLoss',
            'model.heads.simsiam.type=SelfDistillationHead',
            'model.heads.simsiam.momentum=None',
            'model.heads.simsiam.final_bn=True',
            'model.heads.simsiam.predictor_dim=4',
            'model.heads.dino.type=SelfDistillationHead',
            'model.heads.dino.momentum=0.9',
            'model.heads.dino.prototypes=12',
            'model.heads.dino.predictor_dim=None',
            'model.heads.dino.loss.type=CenteredCrossEntropyLoss',
            'model.heads.dino.loss.channels=12',
            *small(MIXED, 96, HEAD, EMBEDDING, 'views=[one,two]'),
        ],
    ),
}


def set_of(method: str) -> str | None:
    """The set of a method's config; None for its own or default one."""
    return None if '_r3d' in METHODS[method][0] else 'nwucla'


def options_of(method: str, batch_size: int = 2) -> list[str]:
    """``--cfg-options`` for few small batches, of which each loss is logged."""
    return [
        'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False',
        f'train_dataloader.batch_size={batch_size}',
        'default_hooks.logger.interval=1',
        'log_processor.window_size=1',
        *METHODS[method][1],
    ]


def make_model(method: str, samples: int) -> tuple[nn.Module, dict[str, Any]]:
    """A model in training, and a batch as its own pipeline and preprocessor make it."""
    config = read_config(METHODS[method][0], options_of(method), dataset=set_of(method))
    torch.manual_seed(0)
    model = MODELS.build(config.model).train()
    model.init_weights()
    dataset = DATASETS.build(config.train_dataloader.dataset)
    data = model.data_preprocessor(pseudo_collate([dataset[i] for i in range(samples)]))
    for momentum_copy, source in model.momentum_pairs():
        momentum_copy.start(source)
    return model, data


def make_data(root: Path) -> None:
    """Write a data folder, ``$MMACT_SSL_DATA``, of seven videos and seven skeletons."""
    random = np.random.default_rng(0)
    names = [f'{index}.mp4' for index in range(SAMPLES)]
    (root / 'demo').mkdir(parents=True)
    for name in names:
        write_video(root / 'demo' / name, FRAMES, SIZE, SIZE, gop=8, bframes=0)
    for split in ('train', 'test'):
        (root / f'demo/{split}.txt').write_text(''.join(f'{name} 0\n' for name in names))
    caches = {
        'pose': ('pose', 'coco17', (FRAMES, 17, 3)),
        'demo_parsing_teacher': ('map', 'demo_parts', (FRAMES, 10, 8, 8)),
        'efficientnet_lite0_imagenet': ('embedding', '', (FRAMES, 16)),
    }
    for cache, (kind, layout, shape) in caches.items():
        path = root / f'demo/targets/{cache}.lmdb'
        with TargetWriter(path, TargetMeta(kind, layout, 'made', 'made')) as writer:
            for name in names:
                values = random.uniform(0.1, 0.9, shape).astype(np.float32)
                writer.put(name, values / values.sum(1, keepdims=True) if kind == 'map' else values)
    # Two cameras saw each performance.
    clips = [f'clip{index // 2}_v{1 + index % 2}' for index in range(SAMPLES)]
    with SkeletonWriter(root / 'nwucla', 'made', 'kinect20', ['one', 'two'], 1) as writer:
        for index, name in enumerate(clips):
            clip = random.normal(size=(1, 6 + index, 20, 3)).astype(np.float32)
            writer.add(name, index % 2, clip)
        writer.finish({'xview_train': clips, 'xview_test': clips})
    with TargetWriter(root / 'nwucla/targets/prompts.lmdb', TargetMeta('text', '', 'f')) as writer:
        for name in clips[:-1]:  # one has none
            writer.put(name, random.normal(size=(3, 16)).astype(np.float32))
