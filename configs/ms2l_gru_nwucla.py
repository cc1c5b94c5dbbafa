# MS2L on NW-UCLA (views 1 and 2) with the published hyper-parameters, except for batch and budget:
# a batch of 32 clips, not 256, takes a CPU core one to two seconds a step, not ten or more. 3,000
# steps, 94 epochs, teach the order of nearly all training clips.
_base_ = ['_base_/sets/nwucla.py', '_base_/students/gru.py', '_base_/methods/ms2l.py']

model = dict(backbone=dict(_base_.backbone, **_base_.bodies), heads=dict(motion=_base_.bodies))
train_dataloader = dict(batch_size=32, dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
train_cfg = dict(max_iters=3000)
param_scheduler = [dict(type='MultiStepLR', by_epoch=False, milestones=[1500], gamma=0.1)]
default_hooks = dict(checkpoint=dict(interval=25))  # 32 steps an epoch
