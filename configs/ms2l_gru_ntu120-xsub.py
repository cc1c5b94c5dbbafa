# MS2L on NTU RGB+D 120, cross-subject.
_base_ = ['_base_/sets/ntu120-xsub.py', '_base_/students/gru.py', '_base_/methods/ms2l.py']

model = dict(backbone=dict(_base_.backbone, **_base_.bodies), heads=dict(motion=_base_.bodies))
train_dataloader = dict(num_workers=4, dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
