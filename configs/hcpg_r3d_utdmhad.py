# HCPG on UTD-MHAD (real depth video), under part maps drawn from the poses of its sensor.
_base_ = [
    '_base_/sets/utdmhad.py',
    '_base_/students/r3d18-small.py',
    '_base_/methods/hcpg-small.py',
]

model = dict(backbone=_base_.backbone)
# Actions are longer than in JHMDB.
clip = dict(num_frames=8, stride=(2, 4, 6))
sample_views = dict(_base_.sample_views, clip=clip, clip_b=clip)
augment = [_base_.gentle_crop, _base_.resize, _base_.no_flip]
make_views = [
    _base_.decode,
    dict(type='TransformViews', views=('clip',), transforms=augment, map_size=(16, 16)),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
    _base_.pack,
]
train_pipeline = [sample_views, _base_.load_parts, *make_views]
test_pipeline = [sample_views, _base_.load_parts, *_base_.make_test_views]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(_base_.test_set, pipeline=test_pipeline))
train_cfg = dict(max_epochs=60)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=60)]
