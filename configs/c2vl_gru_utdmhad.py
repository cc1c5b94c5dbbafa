# C2VL on the skeletons of UTD-MHAD (odd subjects), with sentences from the joints' motion.
_base_ = [
    '_base_/sets/utdmhad-skeleton.py',
    '_base_/students/gru-streams.py',
    '_base_/methods/c2vl-streams.py',
]

model = dict(backbone=dict(_base_.backbone, encoder=dict(_base_.encoder, **_base_.bodies)))
train_dataloader = dict(dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
