# MS2L's contrast between two augmented views on the small transformer over joints: on your own
# skeletons (--data DIR), or --set nwucla or another set.
_base_ = ['encoders/stt.py', '_base_/methods/ms2l-twoview.py']

model = dict(
    backbone=_base_.encoder.backbone,
    shared_weights=None,  # the last weight is shared
    pooling=dict(mode='mean', streams=1),
    heads=dict(contrast=dict(in_channels=128, streams=1)),
)
# Without bones and motion, which the transformer computes itself.
change = [*_base_.jitter, _base_.mask]
augment = [_base_.crop, *_base_.move, *_base_.flip, *change]
make_views = dict(type='MakeSkeletonViews', views=dict(one=augment, two=augment))
pipeline = [_base_.normalize, make_views, _base_.pack]
train_dataloader = dict(batch_size=64, dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
