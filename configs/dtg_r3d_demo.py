# DTG-Net on the demo world (synthetic), under the same kinds of teachers; the poses are those of
# the small mmpose teacher that was trained on it.
_base_ = ['_base_/sets/demo.py', '_base_/students/r3d18-small.py', '_base_/methods/dtg-small.py']

model = dict(backbone=_base_.backbone)
train_dataloader = dict(dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
