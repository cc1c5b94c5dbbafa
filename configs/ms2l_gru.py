# MS2L as published: on your own skeletons (--data DIR), or --set ntu60-xsub, ntu60-xview,
# ntu120-xsub, ntu120-xset, pkummd1, pkummd2 or another set. Small sets have fewer steps and smaller
# batches: 256 clips take a CPU core ten seconds per step or more.
_base_ = ['encoders/gru.py', '_base_/methods/ms2l.py']

model = dict(
    backbone=dict(_base_.encoder.backbone, pool=None),
    heads=dict(motion=dict(layout='$layout', num_persons='$persons')),
)
published = dict(batch_size=256, num_workers=4, max_iters=9000, save_every=1)
budget = dict(published, **_base_.get('ms2l_budget', {}))
train_dataloader = dict(batch_size=budget['batch_size'], num_workers=budget['num_workers'])
train_cfg = dict(max_iters=budget['max_iters'])
fall = dict(type='MultiStepLR', by_epoch=False, milestones=[budget['max_iters'] // 2], gamma=0.1)
param_scheduler = [fall]
default_hooks = dict(checkpoint=dict(interval=budget['save_every']))
