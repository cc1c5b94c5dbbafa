# MS2L's contrast between two augmented views and MAMP's masked motion on a third, together.
_base_ = ['ms2l-stt.py', 'masked-view.py']

views = ('one', 'two', 'masked')
model = dict(
    data_preprocessor=dict(views=views, targets=('masked.mask',)),
    encode=views,
    heads=dict(motion=_base_.masked_motion),
)
mirrored = _base_.mirrored
make_views = dict(
    type='MakeSkeletonViews', views=dict(one=mirrored, two=mirrored, masked=_base_.masked)
)
pack = dict(type='PackInputs', views=views)
pipeline = [_base_.normalize, make_views, pack]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
