# HCPG on the small R3D-18, by default on the demo world: --set jhmdb or another set, or your own
# videos (--data DIR), under part maps drawn from poses. Two clips of 8 frames at 64x64.
_base_ = [
    '_base_/views/small.py',
    'encoders/r3d18-small.py',
    '_base_/methods/hcpg-small.py',
]

model = dict(backbone=_base_.encoder.backbone)
clip = dict(num_frames='$frames', stride=(1, 2, 4))
sample_views = dict(type='SampleViews', clip=clip, clip_b=clip, differ=True)
map_size = (16, 16)
augment = [_base_.crop, _base_.resize, _base_.flip, _base_.jitter]
make_views = [
    _base_.decode,
    dict(type='TransformViews', views=('clip',), transforms=augment, map_size=map_size),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
    _base_.pack,
]
center_crop = [_base_.center_crop]
make_test_views = [
    _base_.decode_test,
    dict(type='TransformViews', views=_base_.views, transforms=center_crop, map_size=map_size),
    _base_.pack,
]
train_pipeline = [sample_views, _base_.load_parts, *make_views]
test_pipeline = [sample_views, _base_.load_parts, *make_test_views]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
