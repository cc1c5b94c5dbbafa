# DTG-Net's views for R3D-18: two clips of 16 frames from anywhere in a video, at 112x112, each cut,
# mirrored and coloured in its own way. What the teachers say comes from target caches, whose
# readers the configs that use this put between the two parts.
clip = dict(num_frames=16, stride=2)
augment = [
    dict(type='mmaction.RandomResizedCrop', area_range=(0.2, 1.0)),
    dict(type='mmaction.Resize', scale=(112, 112), keep_ratio=False),
    dict(type='HorizontalFlip', layout='coco17', flip_ratio=0.5),
    dict(type='mmaction.ColorJitter'),
]
sample_views = dict(type='SampleViews', clip=clip, other=clip)
make_views = [
    dict(type='DecodeViews', short_side=128),
    dict(type='TransformViews', views=('clip',), transforms=augment),
    dict(type='TransformViews', views=('other',), transforms=augment),
    dict(type='PackPretextInputs', views=('clip', 'other')),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='PretextVideoDataset', ann_file='', pipeline=[sample_views, *make_views]),
)
