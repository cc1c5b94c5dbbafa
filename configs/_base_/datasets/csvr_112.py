# CSVR's views for R3D-18: 16 frames, the 16 after them, and 3 I-frames, at 112x112.
train_pipeline = [
    dict(
        type='SampleViews',
        clip=dict(num_frames=16, stride=2),
        future=dict(num_frames=16, stride=2),
        keyframes=dict(num_frames=3),
    ),
    dict(type='LoadTargetCache', path='', views=('clip', 'future'), layout='coco17'),
    dict(type='DecodeViews', short_side=128),
    dict(
        type='TransformViews',
        views=('clip', 'future'),
        transforms=[
            dict(type='mmaction.RandomResizedCrop', area_range=(0.2, 1.0)),
            dict(type='mmaction.Resize', scale=(112, 112), keep_ratio=False),
            dict(type='HorizontalFlip', layout='coco17', flip_ratio=0.5),
        ],
    ),
    dict(
        type='TransformViews',
        views=('keyframes',),
        transforms=[
            dict(type='mmaction.RandomResizedCrop', area_range=(0.2, 1.0)),
            dict(type='mmaction.Resize', scale=(112, 112), keep_ratio=False),
            dict(type='HorizontalFlip', layout='coco17', flip_ratio=0.5),
        ],
    ),
    dict(type='PackPretextInputs', views=('clip', 'future', 'keyframes')),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='PretextVideoDataset', ann_file='', pipeline=train_pipeline),
)
