# MS2L on the skeletons of UTD-MHAD (odd subjects) with the published hyper-parameters, except for
# batch and budget, as in ms2l_gru_nwucla.py.
_base_ = [
    'mmact_ssl::_base_/sets/utdmhad-skeleton.py',
    'mmact_ssl::_base_/students/gru.py',
    'mmact_ssl::_base_/methods/ms2l.py',
]

model = dict(backbone=dict(_base_.backbone, **_base_.bodies), heads=dict(motion=_base_.bodies))
train_dataloader = dict(batch_size=32, dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
train_cfg = dict(max_iters=3000)
param_scheduler = [dict(type='MultiStepLR', by_epoch=False, milestones=[1500], gamma=0.1)]
default_hooks = dict(checkpoint=dict(interval=50))  # 14 steps an epoch
