# The same optimizers for minutes on two cores.
_base_ = 'csvr_adamw.py'

train_cfg = dict(max_epochs=40)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=1, end=40, convert_to_iter_based=True),
]
auto_scale_lr = dict(base_batch_size=16)
