# MS2L's contrast of two views on NW-UCLA, where the second view is another camera's clip of the
# same performance.
_base_ = 'ms2l-twoview_gru_nwucla.py'

view = [_base_.normalize, *_base_.mirrored]
make_views = dict(type='MakeSkeletonViews', views=dict(one=view, two=view), other_camera=['two'])
pipeline = [make_views, _base_.pack]
# a01_s01_e00_v01 and a01_s01_e00_v02 show one performance.
performances = dict(performance_pattern=r'(.+)_v\d+$', pipeline=pipeline)
train_dataloader = dict(dataset=performances)
test_dataloader = dict(dataset=performances)
