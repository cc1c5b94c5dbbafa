# DTG-Net's second use on JHMDB, on EfficientNet-Lite0 with the temporal shift: recognition and
# guidance trained together, from ImageNet. Reads labels.
_base_ = [
    '_base_/sets/jhmdb.py',
    '_base_/students/tsm-lite0.py',
    '_base_/methods/dtg-joint-tsm.py',
]

model = dict(
    backbone=_base_.backbone,
    data_preprocessor=_base_.normalization,
    heads=dict(recognition=dict(cls_head=dict(num_classes=_base_.num_classes))),
)
train_dataloader = dict(dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
