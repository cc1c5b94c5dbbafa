# VideoMAE on a small vision transformer, by default on the demo world: --set jhmdb, utdmhad or
# another set, or your own videos (--data DIR); for two cores. Our choice.
_base_ = ['_base_/views/small.py', 'encoders/vit-tiny.py', '_base_/methods/videomae.py']

patch = (2, 8, 8)
model = dict(
    backbone=_base_.encoder.backbone,
    heads=dict(
        pixels=dict(
            in_channels=192,
            patch=patch,
            hidden_dim=96,
            depth=2,
            num_heads=2,
            # Patches without contrast are nearer to 0 than as published.
            loss=dict(type='PatchLoss'),
        ),
    ),
)
clip = dict(num_frames='$frames', stride='$stride')
sample_views = dict(type='SampleViews', clip=clip)
augment = [_base_.crop, _base_.resize, _base_.flip]
mask = dict(type='MaskTubes', patch=patch)
train_pipeline = [
    sample_views,
    _base_.decode,
    dict(type='TransformViews', views=_base_.views, transforms=augment),
    mask,
    _base_.pack,
]
test_pipeline = [
    dict(sample_views, test_mode=True),
    _base_.decode_test,
    dict(type='TransformViews', views=_base_.views, transforms=[_base_.center_crop]),
    mask,
    _base_.pack,
]
train_dataloader = dict(
    batch_size=16, num_workers=1, dataset=dict(_base_.train_set, pipeline=train_pipeline)
)
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

optim_wrapper = dict(optimizer=dict(lr=1e-3), paramwise_cfg=None)
train_cfg = dict(max_epochs=100)
param_scheduler = [dict(_base_.warmup, end=5), dict(_base_.cosine, begin=5, end=100)]
auto_scale_lr = dict(base_batch_size=16)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=10))
