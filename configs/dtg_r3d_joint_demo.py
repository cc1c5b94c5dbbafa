# DTG-Net's second use on the demo world (synthetic): recognition and guidance trained together, end
# to end. Reads labels.
_base_ = [
    '_base_/sets/demo.py',
    '_base_/students/r3d18-small.py',
    '_base_/methods/dtg-joint-small.py',
]

model = dict(
    backbone=_base_.backbone,
    heads=dict(recognition=dict(cls_head=dict(num_classes=_base_.num_classes))),
)
train_dataloader = dict(dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
# Longer: with backgrounds and clothes drawn at random, 20 epochs leave a classifier at chance.
train_cfg = dict(max_epochs=40)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=1, end=40, convert_to_iter_based=True),
]
