# HCPG on R3D-18: two clips of a video at two speeds, contrasted by appearance and by motion, and a
# parser distilled, each task on an adapter of its own.
_base_ = ['video.py', '../schedules/pretrain_adamw.py']

views = ('clip', 'clip_b')
adapter = dict(type='GatedAdapter', in_channels=512, out_channels=256)
contrast = dict(
    type='ConsistencyHead',
    in_channels=256,
    hidden_dim=512,
    embedding_dim=128,
)
model = dict(
    data_preprocessor=dict(
        views=views,
        targets=(
            'sample.video',
            'clip.speed',
            'clip_b.speed',
            'clip.valid',
            'clip_b.valid',
            'clip.parts',
        ),
    ),
    encode=views,
    # Each view is a batch of its own, so that batch statistics don't mix them.
    encode_together=False,
    # One representation for all tasks: motion='appearance', parsing='appearance'.
    adapters=dict(appearance=adapter, motion=adapter, parsing=adapter),
    heads=dict(
        appearance=dict(consistency='appearance', adapter='appearance', **contrast),
        motion=dict(
            consistency='motion',
            adapter='motion',
            # Which clips are alike in speed is learned late: softer, or the negatives drown it.
            loss=dict(type='MultiPositiveInfoNCELoss', temperature=0.5),
            **contrast,
        ),
        parsing=dict(
            type='ParsingDistillationHead',
            adapter='parsing',
            in_channels=256,
            num_parts=11,
            map_size=(28, 28),
            frames_per_step=8,
        ),
    ),
    balancer=dict(type='FixedWeights', weights=dict(appearance=1.0, motion=1.0, parsing=1.0)),
)

# Two clips of 16 frames from anywhere in a video, at 112x112, played at two different speeds, each
# cut, mirrored and colored in its own way; and the part maps of the first, which are cut and
# mirrored with it.
clip = dict(num_frames=16, stride=(1, 2, 4))
sample_views = dict(type='SampleViews', clip=clip, clip_b=clip, differ=True)
# Drawn from poses (tools/extract_targets.py draw-parts). A network that parses is another cache,
# layout and model.heads.parsing.num_parts; docs/methods/hcpg.md has an example.
load_parts = dict(
    type='LoadTargets',
    target='parts',
    cache='pose_parts.lmdb',
    kind='map',
    layout='pose_parts',
)
augment = [
    dict(type='mmaction.RandomResizedCrop', area_range=(0.2, 1.0)),
    dict(type='mmaction.Resize', scale=(112, 112), keep_ratio=False),
    dict(type='HorizontalFlip', layout='coco17', flip_ratio=0.5),
    _base_.jitter,
]
make_views = [
    dict(type='DecodeViews', short_side=128),
    dict(type='TransformViews', views=('clip',), transforms=augment, map_size=(28, 28)),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
    dict(type='PackInputs', views=views, video=True),
]
train_dataloader = dict(dataset=dict(pipeline=[sample_views, load_parts, *make_views]))
