# MS2L's contrast between two augmented views (ms2l-twoview.py has its step) on the small
# transformer over joints.
_base_ = 'ms2l-twoview.py'

model = dict(
    shared_weights=None,  # the last weight is shared
    pooling=dict(mode='mean', streams=1),
    heads=dict(contrast=dict(in_channels=128, streams=1)),
)
# Without bones and motion, which the transformer computes itself.
change = [*_base_.jitter, _base_.mask]
mirrored = [_base_.crop, *_base_.move, dict(type='SkeletonFlip'), *change]
make_views = dict(type='MakeSkeletonViews', views=dict(one=mirrored, two=mirrored))
pipeline = [_base_.normalize, make_views, _base_.pack]
train_dataloader = dict(batch_size=64, dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
