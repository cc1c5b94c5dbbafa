# HCPG on JHMDB (real RGB video), under part maps drawn from MoveNet's poses, on EfficientNet-Lite0
# with the temporal shift, which starts from ImageNet.
_base_ = [
    'mmact_ssl::_base_/sets/jhmdb.py',
    'mmact_ssl::_base_/students/tsm-lite0.py',
    'mmact_ssl::_base_/methods/hcpg-tsm.py',
]

model = dict(backbone=_base_.backbone, data_preprocessor=_base_.normalization)
train_dataloader = dict(dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
