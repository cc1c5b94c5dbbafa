# VideoMAE on the small transformer, for two cores. Our choice.
_base_ = ['videomae.py', 'video-small.py']

patch = (2, 8, 8)
model = dict(
    heads=dict(
        pixels=dict(in_channels=192, patch=patch, hidden_dim=96, depth=2, num_heads=2),
    ),
)
views = _base_.views
sample_views = dict(type='SampleViews', clip=dict(num_frames=8, stride=2))
augment = [_base_.crop, _base_.resize, _base_.flip]
mask = dict(type='MaskTubes', patch=patch)
make_test_views = [
    _base_.decode_test,
    dict(type='TransformViews', views=views, transforms=[_base_.center_crop]),
    mask,
    _base_.pack,
]
train_pipeline = [
    sample_views,
    _base_.decode,
    dict(type='TransformViews', views=views, transforms=augment),
    mask,
    _base_.pack,
]
test_pipeline = [dict(sample_views, test_mode=True), *make_test_views]
train_dataloader = dict(batch_size=16, num_workers=1, dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

optim_wrapper = dict(optimizer=dict(lr=1e-3), paramwise_cfg=None)
train_cfg = dict(max_epochs=100)
param_scheduler = [dict(_base_.warmup, end=5), dict(_base_.cosine, begin=5, end=100)]
auto_scale_lr = dict(base_batch_size=16)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=10))
