# DTG-Net on Kinetics-400 in mmaction2's layout: TSN's ResNet-18, two clips of 8 frames, the
# student for which the paper's results are reported.
_base_ = ['_base_/sets/kinetics400.py', '_base_/students/tsn-r18.py', '_base_/methods/dtg-2d.py']

model = dict(backbone=_base_.backbone)
train_dataloader = dict(dataset=_base_.train_set)
