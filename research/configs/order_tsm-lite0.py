# Recognition of the order of a clip's segments, on EfficientNet-Lite0 with the temporal shift, from
# ImageNet: your own (--data DIR), or --set jhmdb or another set.
_base_ = ['_base_/tsm-lite0.py', 'mmact_ssl::_base_/rivals/order.py']

segments = 4  # of two frames
# With a linear classifier the features from ImageNet shrink.
head = dict(**_base_.order, **_base_.head_sizes, segments=segments)
model = dict(**_base_.order_model, heads=dict(order=head))
sample_views = dict(type='SampleViews', clip=_base_.clip)
cut_out = [_base_.crop, _base_.resize, _base_.jitter]
apart = dict(_base_.transform_segments, transforms=cut_out, segments=segments)
pipeline = [
    sample_views,
    dict(_base_.shuffle, segments=segments),
    _base_.decode,
    dict(type='TransformViews', views=_base_.shuffled, transforms=[_base_.flip]),
    apart,
    _base_.pack_shuffled,
]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
