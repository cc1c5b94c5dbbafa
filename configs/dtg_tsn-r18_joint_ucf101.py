# DTG-Net's second use on UCF101, split 1, on TSN's ResNet-18. Reads labels.
_base_ = ['_base_/sets/ucf101.py', '_base_/students/tsn-r18.py', '_base_/methods/dtg-joint-2d.py']

model = dict(
    backbone=_base_.backbone,
    heads=dict(recognition=dict(cls_head=dict(num_classes=_base_.num_classes))),
)
train_dataloader = dict(dataset=_base_.train_set)
