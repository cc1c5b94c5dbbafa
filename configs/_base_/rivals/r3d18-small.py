# Two clips of 8 frames at 64x64 for the small R3D-18, on the set of --set or the prepared folder of
# --data; sized for two cores.
_base_ = [
    '../views/small.py',
    '../../encoders/r3d18-small.py',
    'clips.py',
]

head_sizes = dict(in_channels=128)
model = dict(backbone=_base_.encoder.backbone)
clip = dict(num_frames='$frames', stride='$stride')
sample_views = dict(type='SampleViews', clip=clip, clip_b=clip)
augment = [_base_.crop, _base_.resize, _base_.flip, _base_.jitter]
make_clip = [_base_.decode, dict(type='TransformViews', views=('clip',), transforms=augment)]
make_views = [*make_clip, dict(type='TransformViews', views=('clip_b',), transforms=augment)]
center_crop = [_base_.center_crop]
make_test_clip = [
    _base_.decode_test,
    dict(type='TransformViews', views=('clip',), transforms=center_crop),
]
make_test_views = [
    *make_test_clip,
    dict(type='TransformViews', views=('clip_b',), transforms=center_crop),
]
train_pipeline = [sample_views, *make_views, _base_.pack]
# Clips are drawn in tests too: with test_mode they would be the first and the last of the video.
test_pipeline = [sample_views, *make_test_views, _base_.pack]
train_dataloader = dict(
    batch_size=32, num_workers=1, dataset=dict(_base_.train_set, pipeline=train_pipeline)
)
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
train_cfg = dict(_delete_=True, type='StepsTrainLoop', max_iters=800)
warmup = dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=40)
cosine = dict(type='CosineAnnealingLR', by_epoch=False, begin=40, end=800)
param_scheduler = [warmup, cosine]
auto_scale_lr = dict(base_batch_size=32)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=10))
