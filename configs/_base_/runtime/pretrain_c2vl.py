# As all pre-training, and targets that soften from hard to half soft.
_base_ = 'pretrain.py'

custom_hooks = [*_base_.custom_hooks, dict(type='SoftTargetHook', alpha_max=0.5)]
