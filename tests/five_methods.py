"""The five methods and mixes with later ones, each as a shipped config cut down to seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmact_ssl.preparation.skeletons import SkeletonWriter
from mmact_ssl.targets.cache import TargetMeta, TargetWriter
from tests.helpers.videos import write_video

SAMPLES = 7  # an odd number: the last batch is smaller
FRAMES, SIZE = 20, 32
VIDEO = ['model.backbone.base_channels=4']
HEAD = 'hidden_dim=16'
TRANSFORMER = [
    *('model.backbone.embed_dims=16', 'model.backbone.depth=1', 'model.backbone.num_heads=2'),
]
MIXED = ('contrast', 'barlow', 'vicreg', 'simsiam', 'dino')
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
            'model.heads.guidance.in_channels=32',
            'model.heads.guidance.teachers.imagenet.channels=16',
            f'model.heads.guidance.{HEAD}',
            'model.heads.contrast.in_channels=32',
            f'model.heads.contrast.{HEAD}',
            'model.heads.contrast.embedding_dim=8',
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
            'model.heads.appearance.momentum=0.9',
            'model.heads.motion.momentum=0.9',
            'model.heads.appearance.queue_size=5',
            'model.heads.motion.queue_size=5',
        ],
    ),
    'ms2l': (
        'configs/ms2l_gru.py',
        [
            'model.backbone.hidden_size=8',
            *(f'model.heads.{head}.in_channels=16' for head in ('motion', 'jigsaw', 'contrast')),
            'model.heads.contrast.hidden_dim=16',
            'model.heads.contrast.embedding_dim=8',
            'param_scheduler.0.milestones=[5]',
        ],
    ),
    'c2vl': (
        'configs/c2vl_gru.py',
        [
            'model.backbone.encoder.hidden_size=8',
            'model.heads.prompts.in_channels=96',
            'model.heads.prompts.prompt_channels=16',
            'default_hooks.ema.type=EMAHook',
            'default_hooks.ema.momentum=0.1',
        ],
    ),
    'ms2l-masked': (
        'configs/ms2l-masked_stt.py',
        [
            *TRANSFORMER,
            'model.heads.contrast.in_channels=16',
            'model.heads.contrast.hidden_dim=16',
            'model.heads.contrast.embedding_dim=8',
            'model.heads.motion.in_channels=16',
            'model.heads.motion.hidden_dim=16',
        ],
    ),
    'latent': (
        'configs/latent_stt.py',
        [
            *TRANSFORMER,
            'model.heads.latent.in_channels=16',
            'model.heads.latent.hidden_dim=16',
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
            *(f'model.heads.{head}.in_channels=96' for head in MIXED),
            *(f'model.heads.{head}.{HEAD}' for head in MIXED),
            *(f'model.heads.{head}.embedding_dim=8' for head in MIXED),
            *(f'model.heads.{head}.views=[one,two]' for head in MIXED),
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
    clips = [f'clip{index}' for index in range(SAMPLES)]
    with SkeletonWriter(root / 'nwucla', 'made', 'kinect20', ['one', 'two'], 1) as writer:
        for index, name in enumerate(clips):
            clip = random.normal(size=(1, 6 + index, 20, 3)).astype(np.float32)
            writer.add(name, index % 2, clip)
        writer.finish({'xview_train': clips, 'xview_test': clips})
    with TargetWriter(root / 'nwucla/targets/prompts.lmdb', TargetMeta('text', '', 'f')) as writer:
        for name in clips[:-1]:  # one has none
            writer.put(name, random.normal(size=(3, 16)).astype(np.float32))
