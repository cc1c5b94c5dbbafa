# CSVR's views for the small student: 8 frames, the 8 after them and 3 I-frames, at 64x64.
train_pipeline = [
    dict(
        type='SampleViews',
        clip=dict(num_frames=8, stride=2),
        future=dict(num_frames=8, stride=2),
        keyframes=dict(num_frames=3),
    ),
    dict(type='LoadTargetCache', path='', views=('clip', 'future'), layout='coco17'),
    dict(type='DecodeViews', short_side=80),
    dict(
        type='TransformViews',
        views=('clip', 'future'),
        transforms=[
            dict(type='mmaction.RandomResizedCrop', area_range=(0.4, 1.0)),
            dict(type='mmaction.Resize', scale=(64, 64), keep_ratio=False),
            dict(type='HorizontalFlip', layout='coco17', flip_ratio=0.5),
        ],
    ),
    dict(
        type='TransformViews',
        views=('keyframes',),
        transforms=[
            dict(type='mmaction.RandomResizedCrop', area_range=(0.4, 1.0)),
            dict(type='mmaction.Resize', scale=(64, 64), keep_ratio=False),
            dict(type='HorizontalFlip', layout='coco17', flip_ratio=0.5),
        ],
    ),
    dict(type='PackPretextInputs', views=('clip', 'future', 'keyframes')),
]
val_pipeline = [
    dict(
        type='SampleViews',
        clip=dict(num_frames=8, stride=2),
        future=dict(num_frames=8, stride=2),
        keyframes=dict(num_frames=3),
        test_mode=True,
    ),
    dict(type='LoadTargetCache', path='', views=('clip', 'future'), layout='coco17'),
    dict(type='DecodeViews', short_side=64),
    dict(
        type='TransformViews',
        views=('clip', 'future', 'keyframes'),
        transforms=[dict(type='mmaction.CenterCrop', crop_size=64)],
    ),
    dict(type='PackPretextInputs', views=('clip', 'future', 'keyframes')),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='PretextVideoDataset', ann_file='', pipeline=train_pipeline),
)
# For tools/test.py: how well the pretext tasks do on clips that training never saw.
test_dataloader = dict(
    batch_size=32,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='PretextVideoDataset', ann_file='', pipeline=val_pipeline, test_mode=True),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='PretextMetric')
