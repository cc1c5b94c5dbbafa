# HCPG on your own videos (--data DIR), or --set jhmdb or another set, under part maps drawn from
# poses, on EfficientNet-Lite0 with the temporal shift, which starts from ImageNet; contrast in the
# batch.
_base_ = ['_base_/views/tsm.py', '_base_/methods/hcpg-small.py']

adapter = dict(in_channels=1280, out_channels=128)
contrast = dict(in_channels=128)
map_size = (28, 28)
model = dict(
    frame_wise=True,
    backbone=_base_.encoder.backbone,
    adapters=dict(appearance=adapter, motion=adapter, parsing=adapter),
    heads=dict(
        appearance=contrast,
        motion=contrast,
        parsing=dict(in_channels=128, map_size=map_size, hidden_dim=64, frames_per_step=1),
    ),
)
speeds = dict(num_frames=8, stride=(1, 2, 4))
sample_views = dict(type='SampleViews', clip=speeds, clip_b=speeds, differ=True)
augment = [_base_.crop, _base_.resize, _base_.flip, _base_.jitter]
train_pipeline = [
    sample_views,
    _base_.load_parts,
    _base_.decode,
    dict(type='TransformViews', views=('clip',), transforms=augment, map_size=map_size),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
    _base_.pack,
]
center_crop = [_base_.center_crop]
test_pipeline = [
    sample_views,
    _base_.load_parts,
    _base_.decode_test,
    dict(type='TransformViews', views=_base_.views, transforms=center_crop, map_size=map_size),
    _base_.pack,
]
train_dataloader = dict(batch_size=8, dataset=dict(_base_.train_set, pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
# About as many epochs as DTG-Net needs from ImageNet; not tuned for HCPG.
epochs = 6 * 675 // _base_.num_videos
rise = max(1, epochs // 20)  # a warm-up of one epoch would be too short in epochs of one step
train_cfg = dict(max_epochs=epochs)
param_scheduler = [
    dict(_base_.warmup, end=rise),
    dict(_base_.cosine, begin=rise, end=epochs),
]
default_hooks = dict(checkpoint=dict(interval=max(1, epochs // 5)))
optim_wrapper = dict(optimizer=dict(lr=3e-4))
auto_scale_lr = dict(base_batch_size=8)
