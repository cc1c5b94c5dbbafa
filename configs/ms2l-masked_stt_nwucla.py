# MS2L's contrast and MAMP's masked motion together on NW-UCLA (views 1 and 2). The contrast reads
# the masked view too, of which the student sees half, all joints drawn alike; it is cut, turned,
# sheared, mirrored and scaled as the others.
_base_ = ['_base_/sets/nwucla.py', '_base_/students/stt.py', '_base_/methods/ms2l-masked.py']

model = dict(
    backbone=dict(_base_.backbone, layout=_base_.bodies.layout),
    heads=dict(contrast=dict(views=_base_.views)),
)
masked = [
    _base_.crop,
    *_base_.move,
    dict(type='SkeletonFlip'),
    dict(type='RandomScale', amplitude=0.1),
    dict(type='MaskJointSegments', ratio=0.5),
]
make_views = dict(
    type='MakeSkeletonViews', views=dict(one=_base_.mirrored, two=_base_.mirrored, masked=masked)
)
pipeline = [_base_.normalize, make_views, _base_.pack]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=pipeline))
test_dataloader = dict(dataset=dict(_base_.test_set, pipeline=pipeline))
