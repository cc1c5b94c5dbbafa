# CSVR on the first training split of UCF101 in mmaction2's layout: R3D-18, 16 frames at stride 2.
_base_ = ['_base_/sets/ucf101.py', '_base_/students/r3d18.py', '_base_/methods/csvr.py']

model = dict(backbone=_base_.backbone)
train_dataloader = dict(dataset=_base_.train_set)
train_cfg = dict(max_epochs=300)
param_scheduler = [dict(_base_.warmup, end=10), dict(_base_.cosine, begin=10, end=300)]
default_hooks = dict(checkpoint=dict(interval=10))
