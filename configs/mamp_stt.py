# MAMP on the small transformer over joints: on your own skeletons (--data DIR), or --set nwucla or
# another set; for two cores: clips of 32 frames. Our choice.
_base_ = ['encoders/stt.py', '_base_/methods/mamp.py']

model = dict(
    backbone=_base_.encoder.backbone,
    heads=dict(motion=dict(in_channels=128, hidden_dim=64, depth=2, num_heads=4)),
)
augment = [
    dict(type='TemporalCrop', area=(0.5, 1.0), num_frames='$frames'),
    dict(type='RandomRotation', degrees=(30, 180, 30)),
]
make_views = dict(type='MakeSkeletonViews', views=dict(clip=[*augment, _base_.segments]))
pipeline = [_base_.normalize, make_views, _base_.pack]
train_dataloader = dict(batch_size=64, dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
optim_wrapper = dict(paramwise_cfg=None)
# Steps as for MS2L on these sets.
train_cfg = dict(_delete_=True, type='StepsTrainLoop', max_iters=3000)
warmup = dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=150)
cosine = dict(type='CosineAnnealingLR', by_epoch=False, begin=150, end=3000)
param_scheduler = [warmup, cosine]
default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=20))
