# CSVR on a 2D student that starts from ImageNet, at 112x112, for two cores: the clip has one frame
# from each of 8 equal parts of the video before the future.
_base_ = 'csvr-small.py'

model = dict(
    frame_wise=True,
    # This student has only its last map.
    backbone=dict(_delete_=True),
    shared_weights=None,
    adapters=dict(dynamic=dict(in_channels=1280), static=dict(in_channels=1280, level=-1)),
)

views = dict(
    clip=dict(num_frames=8, segments=True),
    future=dict(num_frames=8, stride=1),
    keyframes=dict(num_frames=3),
)
resize = dict(_base_.resize, scale=(112, 112))
augment = [_base_.crop, resize, _base_.flip, _base_.jitter]
make_views = [
    dict(type='DecodeViews', short_side=128),
    dict(type='TransformViews', views=('clip', 'future'), transforms=augment),
    dict(type='TransformViews', views=('keyframes',), transforms=augment),
    _base_.pack,
]
center_crop = dict(type='mmaction.CenterCrop', crop_size=112)
make_test_views = [
    dict(type='DecodeViews', short_side=112),
    dict(type='TransformViews', views=tuple(views), transforms=[center_crop]),
    _base_.pack,
]
sample_views = dict(type='SampleViews', **views)
sample_test_views = dict(type='SampleViews', **views, test_mode=True)
train_pipeline = [sample_views, _base_.load_poses, *make_views]
test_pipeline = [sample_test_views, _base_.load_poses, *make_test_views]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

train_cfg = dict(max_epochs=8)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=8)]
optim_wrapper = dict(optimizer=dict(lr=5e-4))
