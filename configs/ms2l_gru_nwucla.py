# MS2L on NW-UCLA with the published hyper-parameters.
_base_ = [
    '_base_/models/ms2l_gru.py',
    '_base_/datasets/ms2l_nwucla.py',
    '_base_/schedules/ms2l.py',
    '_base_/runtime/pretrain.py',
]

default_hooks = dict(logger=dict(interval=4), checkpoint=dict(interval=10))
