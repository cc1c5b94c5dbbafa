# DTG-Net's second use on HMDB51, split 1, on R3D-18. Reads labels.
_base_ = ['_base_/sets/hmdb51.py', '_base_/students/r3d18.py', '_base_/methods/dtg-joint.py']

model = dict(
    backbone=_base_.backbone,
    heads=dict(recognition=dict(cls_head=dict(num_classes=_base_.num_classes))),
)
train_dataloader = dict(dataset=_base_.train_set)
