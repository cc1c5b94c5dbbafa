# HCPG's views for R3D-18: two clips of 16 frames from anywhere in a video, at 112x112, played at
# two different speeds, each cut, mirrored and colored in its own way; and the part maps of the
# first, which are cut and mirrored with it.
clip = dict(num_frames=16, stride=(1, 2, 4))
augment = [
    dict(type='mmaction.RandomResizedCrop', area_range=(0.2, 1.0)),
    dict(type='mmaction.Resize', scale=(112, 112), keep_ratio=False),
    dict(type='HorizontalFlip', layout='coco17', flip_ratio=0.5),
    dict(type='mmaction.ColorJitter'),
]
sample_views = dict(type='SampleViews', clip=clip, clip_b=clip, differ=True)
# The configs that use this put the folder of the cache before its name. The only parser with
# weights in mmsegmentation's model zoo knows persons; one of body parts is another path, layout and
# model.heads.parsing.num_parts.
parts = dict(
    type='LoadTargetCache',
    path='segformer-b0_ade20k_person.lmdb',
    target='parts',
    kind='map',
    layout='person',
)
make_views = [
    dict(type='DecodeViews', short_side=128),
    dict(type='TransformViews', views=('clip',), transforms=augment, map_size=(28, 28)),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
    dict(type='PackPretextInputs', views=('clip', 'clip_b'), video=True),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='PretextVideoDataset', ann_file=''),
)
