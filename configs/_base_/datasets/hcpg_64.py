# HCPG's views for the small student: two clips of 8 frames at 64x64 at two speeds, and the person
# in the first.
clip = dict(num_frames=8, stride=(1, 2, 4))
augment = [
    dict(type='mmaction.RandomResizedCrop', area_range=(0.4, 1.0)),
    dict(type='mmaction.Resize', scale=(64, 64), keep_ratio=False),
    dict(type='HorizontalFlip', layout='coco17', flip_ratio=0.5),
]
sample_views = dict(type='SampleViews', clip=clip, clip_b=clip, differ=True)
# The configs that use this put the folder of the cache before its name.
parts = dict(
    type='LoadTargetCache',
    path='selfie_segmentation.lmdb',
    target='parts',
    kind='map',
    layout='person',
)
make_views = [
    dict(type='DecodeViews', short_side=80),
    dict(type='TransformViews', views=('clip',), transforms=augment, map_size=(16, 16)),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
    dict(type='PackPretextInputs', views=('clip', 'clip_b'), video=True),
]
sample_test_views = dict(type='SampleViews', clip=clip, clip_b=clip, differ=True, test_mode=True)
make_test_views = [
    dict(type='DecodeViews', short_side=64),
    dict(
        type='TransformViews',
        views=('clip', 'clip_b'),
        transforms=[dict(type='mmaction.CenterCrop', crop_size=64)],
        map_size=(16, 16),
    ),
    dict(type='PackPretextInputs', views=('clip', 'clip_b'), video=True),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='PretextVideoDataset', ann_file=''),
)
# For tools/test.py: overlap of the part maps, and how often a clip finds one alike, on videos that
# training never saw.
test_dataloader = dict(
    batch_size=32,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='PretextVideoDataset', ann_file='', test_mode=True),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='PretextMetric')
