# Recognition of the order of a clip's segments, on EfficientNet-Lite0 with the temporal shift, from
# ImageNet: your own (--data DIR), or --set jhmdb, utdmhad or another set of videos.
_base_ = ['_base_/rivals/tsm-lite0.py', '_base_/rivals/order.py']

segments = 4  # of two frames
# With a linear classifier the features from ImageNet shrink.
head = dict(**_base_.order, **_base_.head_sizes, segments=segments)
model = dict(**_base_.order_model, heads=dict(order=head))
sample_views = dict(type='SampleViews', clip=_base_.clip)
crop, resize, flip, jitter = _base_.augment
apart = dict(_base_.transform_segments, transforms=[crop, resize, jitter], segments=segments)
pipeline = [
    sample_views,
    dict(_base_.shuffle, segments=segments),
    dict(type='DecodeViews', short_side=128),
    dict(type='TransformViews', views=_base_.shuffled, transforms=[flip]),
    apart,
    _base_.pack_shuffled,
]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
