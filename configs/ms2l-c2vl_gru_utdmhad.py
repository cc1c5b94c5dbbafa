# MS2L's contrast and C2VL's matching together on the skeletons of UTD-MHAD (odd subjects). Swipes
# to the left and to the right are different actions here: no view is mirrored.
_base_ = [
    '_base_/sets/utdmhad-skeleton.py',
    '_base_/students/gru-streams.py',
    '_base_/methods/ms2l-c2vl.py',
]

model = dict(backbone=dict(_base_.backbone, encoder=dict(_base_.encoder, **_base_.bodies)))
augment = _base_.never_mirrored
steps = [
    _base_.normalize,
    dict(type='MakeSkeletonViews', views=dict(one=augment, two=augment, clip=augment)),
    _base_.pack,
]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=[_base_.load_prompt, *steps]))
test_dataloader = dict(dataset=dict(_base_.test_set, pipeline=[_base_.load_mean_prompt, *steps]))
