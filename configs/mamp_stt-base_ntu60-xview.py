# MAMP on NTU RGB+D 60, cross-view, with its published sizes.
_base_ = ['_base_/sets/ntu60-xview.py', '_base_/students/stt-base.py', '_base_/methods/mamp.py']

model = dict(backbone=dict(_base_.backbone, layout=_base_.bodies.layout))
train_dataloader = dict(dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
