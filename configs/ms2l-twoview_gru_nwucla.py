# The package's best recipe for skeletons, on NW-UCLA (views 1 and 2): MS2L's contrast between two
# augmented views, separately for joints, bones and motion.
_base_ = [
    '_base_/sets/nwucla.py',
    '_base_/students/gru-streams.py',
    '_base_/methods/ms2l-twoview.py',
]

model = dict(backbone=dict(_base_.backbone, encoder=dict(_base_.encoder, **_base_.bodies)))
train_dataloader = dict(dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
