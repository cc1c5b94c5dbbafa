# Contrast between two augmented views on the skeletons of UTD-MHAD (odd subjects).
_base_ = [
    'mmact_ssl::_base_/sets/utdmhad-skeleton.py',
    'mmact_ssl::_base_/students/gru-streams.py',
    'mmact_ssl::_base_/methods/ms2l-twoview.py',
]

model = dict(backbone=dict(_base_.backbone, encoder=dict(_base_.encoder, **_base_.bodies)))
# Swipes to the left and to the right are different actions here, and so are circles both ways.
augment = _base_.never_mirrored
make_views = dict(type='MakeSkeletonViews', views=dict(one=augment, two=augment))
pipeline = [_base_.normalize, make_views, _base_.pack]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=pipeline))
test_dataloader = dict(dataset=dict(_base_.test_set, pipeline=pipeline))
