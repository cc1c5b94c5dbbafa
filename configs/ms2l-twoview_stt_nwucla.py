# MS2L's contrast between two augmented views on a transformer and NW-UCLA (views 1 and 2).
_base_ = ['_base_/sets/nwucla.py', '_base_/students/stt.py', '_base_/methods/ms2l-stt.py']

model = dict(backbone=dict(_base_.backbone, layout=_base_.bodies.layout))
train_dataloader = dict(dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
