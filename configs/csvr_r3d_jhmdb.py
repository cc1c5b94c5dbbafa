# CSVR on JHMDB (real RGB video) with MoveNet's poses, sized for two cores.
_base_ = ['_base_/sets/jhmdb.py', '_base_/students/r3d18-small.py', '_base_/methods/csvr-small.py']

model = dict(backbone=_base_.backbone)
train_dataloader = dict(dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
