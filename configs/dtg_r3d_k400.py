# DTG-Net on Kinetics-400 in mmaction2's layout: R3D-18, two clips of 16 frames.
_base_ = ['_base_/sets/kinetics400.py', '_base_/students/r3d18.py', '_base_/methods/dtg.py']

model = dict(backbone=_base_.backbone)
train_dataloader = dict(dataset=_base_.train_set)
