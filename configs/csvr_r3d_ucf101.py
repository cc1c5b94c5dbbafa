# CSVR on the first training split of UCF101 in mmaction2's layout: R3D-18, 16 frames at stride 2.
_base_ = ['_base_/sets/ucf101.py', '_base_/students/r3d18.py', '_base_/methods/csvr.py']

model = dict(backbone=_base_.backbone)
train_dataloader = dict(dataset=_base_.train_set)
train_cfg = dict(max_epochs=300)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=10, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=10, end=300, convert_to_iter_based=True),
]
default_hooks = dict(checkpoint=dict(interval=10))
