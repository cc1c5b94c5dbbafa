# DTG-Net's second use on the demo world (synthetic): recognition and guidance trained together, end
# to end. Reads labels.
_base_ = [
    'mmact_ssl::_base_/sets/demo.py',
    'mmact_ssl::_base_/students/r3d18-small.py',
    'mmact_ssl::_base_/methods/dtg-joint-small.py',
]

model = dict(
    backbone=_base_.backbone,
    heads=dict(recognition=dict(cls_head=dict(num_classes=_base_.num_classes))),
)
train_dataloader = dict(dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
# More epochs: with random backgrounds and clothes a classifier is at chance after 20.
train_cfg = dict(max_epochs=40)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=40)]
