# DTG-Net's second use on JHMDB: recognition and guidance trained together, end to end. Reads
# labels.
_base_ = [
    'mmact_ssl::_base_/sets/jhmdb.py',
    'mmact_ssl::_base_/students/r3d18-small.py',
    'mmact_ssl::_base_/methods/dtg-joint-small.py',
]

model = dict(
    backbone=_base_.backbone,
    heads=dict(recognition=dict(cls_head=dict(num_classes=_base_.num_classes))),
)
train_dataloader = dict(dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
