# MS2L's contrast between two augmented views and MAMP's masked motion on a third, together, on the
# small transformer over joints: on your own skeletons (--data DIR), or --set nwucla or another set.
# The contrast reads the masked view too, of which the student sees half, all joints drawn alike; it
# is cut, turned, sheared, mirrored and scaled as the others.
_base_ = 'ms2l-twoview_stt.py'

views = ('one', 'two', 'masked')
model = dict(
    data_preprocessor=dict(views=views, targets=('masked.mask',)),
    encode=views,
    heads=dict(
        contrast=dict(views=views),
        motion=dict(
            type='MaskedMotionHead',
            in_channels=128,
            coordinates='$coordinates',
            view='masked',
            hidden_dim=64,
            depth=2,
            num_heads=4,
        ),
    ),
)
scale, _ = _base_.jitter
masked = [
    _base_.crop,
    *_base_.move,
    *_base_.flip,
    scale,
    dict(type='MaskJointSegments', ratio=0.5),
]
make_views = dict(
    type='MakeSkeletonViews',
    views=dict(one=_base_.augment, two=_base_.augment, masked=masked),
)
pipeline = [_base_.normalize, make_views, dict(type='PackInputs', views=views)]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
