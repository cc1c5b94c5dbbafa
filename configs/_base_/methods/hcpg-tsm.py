# HCPG on a 2D student that starts from ImageNet, at 112x112; contrast in the batch; sized for two
# cores.
_base_ = 'hcpg-small.py'

views = _base_.views
adapter = dict(in_channels=1280, out_channels=128)
contrast = dict(in_channels=128)
model = dict(
    frame_wise=True,
    adapters=dict(appearance=adapter, motion=adapter, parsing=adapter),
    heads=dict(
        appearance=contrast,
        motion=contrast,
        parsing=dict(in_channels=128, map_size=(28, 28), hidden_dim=64, frames_per_step=1),
    ),
)

resize = dict(_base_.resize, scale=(112, 112))
augment = [_base_.crop, resize, _base_.flip, _base_.jitter]
make_views = [
    dict(type='DecodeViews', short_side=128),
    dict(type='TransformViews', views=('clip',), transforms=augment, map_size=(28, 28)),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
    _base_.pack,
]
center_crop = dict(type='mmaction.CenterCrop', crop_size=112)
make_test_views = [
    dict(type='DecodeViews', short_side=112),
    dict(type='TransformViews', views=views, transforms=[center_crop], map_size=(28, 28)),
    _base_.pack,
]
train_steps = [_base_.sample_views, _base_.load_parts, *make_views]
test_steps = [_base_.sample_views, _base_.load_parts, *make_test_views]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_steps))
test_dataloader = dict(dataset=dict(pipeline=test_steps))
# As many epochs as DTG-Net needs from ImageNet; not tuned for HCPG.
train_cfg = dict(max_epochs=6)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=6)]
optim_wrapper = dict(optimizer=dict(lr=3e-4))
auto_scale_lr = dict(base_batch_size=8)
