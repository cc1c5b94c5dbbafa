# CSVR on your own videos (--data DIR), or --set jhmdb or another set, on EfficientNet-Lite0 with
# the temporal shift, which starts from ImageNet. The clip has one frame from each of 8 equal parts
# of the video before the future.
_base_ = ['_base_/views/tsm.py', '_base_/methods/csvr-small.py']

model = dict(
    frame_wise=True,
    # This student has only its last map.
    backbone=dict(_base_.encoder.backbone, _delete_=True),
    shared_weights=None,
    heads=dict(pose=dict(num_joints=_base_.pose_joints)),
    adapters=dict(dynamic=dict(in_channels=1280), static=dict(in_channels=1280, level=-1)),
)
views = dict(
    clip=_base_.clip,
    future=dict(num_frames=8, stride=1),
    keyframes=dict(num_frames=3),
)
sample_views = dict(type='SampleViews', **views)
load_poses = dict(_base_.load_poses, layout=_base_.pose_layout)
augment = [_base_.crop, _base_.resize, _base_.flip, _base_.jitter]
train_pipeline = [
    sample_views,
    load_poses,
    _base_.decode,
    dict(type='TransformViews', views=('clip', 'future'), transforms=augment),
    dict(type='TransformViews', views=('keyframes',), transforms=augment),
    _base_.pack,
]
test_pipeline = [
    dict(sample_views, test_mode=True),
    load_poses,
    _base_.decode_test,
    dict(type='TransformViews', views=tuple(views), transforms=[_base_.center_crop]),
    _base_.pack,
]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

epochs = 8 * 675 // _base_.num_videos
rise = max(1, epochs // 20)  # a warm-up of one epoch would be too short in epochs of one step
train_cfg = dict(max_epochs=epochs)
param_scheduler = [
    dict(_base_.warmup, end=rise),
    dict(_base_.cosine, begin=rise, end=epochs),
]
default_hooks = dict(checkpoint=dict(interval=max(1, epochs // 5)))
optim_wrapper = dict(optimizer=dict(lr=5e-4))
