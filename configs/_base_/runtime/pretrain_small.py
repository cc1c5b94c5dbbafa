_base_ = 'pretrain.py'

default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=4))
