# C2VL on NTU RGB+D 120, cross-setup, with the frames of the videos as a second prompt.
_base_ = ['_base_/sets/ntu120-xset.py', '_base_/students/stgcn.py', '_base_/methods/c2vl-frames.py']

model = dict(backbone=dict(_base_.backbone, layout=_base_.bodies.layout))
train_dataloader = dict(num_workers=4, dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
