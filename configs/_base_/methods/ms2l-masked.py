# MS2L's contrast between two augmented views and MAMP's masked motion on a third, together.
_base_ = 'ms2l-stt.py'

views = ('one', 'two', 'masked')
model = dict(
    data_preprocessor=dict(views=views, targets=('masked.mask',)),
    encode=views,
    heads=dict(
        motion=dict(
            type='MaskedMotionHead',
            in_channels=128,
            view='masked',
            hidden_dim=64,
            depth=2,
            num_heads=4,
        ),
    ),
)
masked = [
    dict(type='TemporalCrop', area=(0.5, 1.0), num_frames=32),
    dict(type='RandomRotation', degrees=(30, 180, 30)),
    dict(type='MaskJointSegments', temperature=0.8),
]
make_views = dict(
    type='MakeSkeletonViews', views=dict(one=_base_.mirrored, two=_base_.mirrored, masked=masked)
)
pack = dict(type='PackInputs', views=views)
pipeline = [_base_.normalize, make_views, pack]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
