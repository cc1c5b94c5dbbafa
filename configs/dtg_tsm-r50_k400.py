# DTG-Net on Kinetics-400, on TSM's ResNet-50, which starts from ImageNet.
_base_ = ['_base_/sets/kinetics400.py', '_base_/students/tsm-r50.py', '_base_/methods/dtg-2d.py']

model = dict(
    backbone=_base_.backbone,
    heads=dict(guidance=dict(in_channels=2048), contrast=dict(in_channels=2048)),
)
train_dataloader = dict(dataset=_base_.train_set)
