# MS2L's contrast of two views, where the second view is another camera's clip of the same
# performance: --set nwucla, or a set or folder of yours whose names begin with the performance and
# end in `_v1`, `_v2` and so on.
_base_ = 'ms2l-twoview_gru.py'

view = [_base_.normalize, *_base_.augment]
make_views = dict(type='MakeSkeletonViews', views=dict(one=view, two=view), other_camera=['two'])
pipeline = [make_views, _base_.pack]
performances = dict(
    performance_pattern=_base_.get('performance_pattern', r'(.+)_v\d+$'), pipeline=pipeline
)
train_dataloader = dict(dataset=performances)
test_dataloader = dict(dataset=performances)
