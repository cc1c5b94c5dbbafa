# Contrast between two augmented views on UT-Kinect (odd subjects), whose clips are few.
_base_ = [
    'mmact_ssl::_base_/sets/utkinect.py',
    'mmact_ssl::_base_/students/gru-streams.py',
    'mmact_ssl::_base_/methods/ms2l-twoview.py',
]

model = dict(backbone=dict(_base_.backbone, encoder=dict(_base_.encoder, **_base_.bodies)))
train_dataloader = dict(batch_size=64, dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
