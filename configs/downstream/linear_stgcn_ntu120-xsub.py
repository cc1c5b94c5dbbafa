# Linear probe, kNN and retrieval: all read the same frozen features.
_base_ = [
    '../_base_/models/downstream_stgcn.py',
    '../_base_/datasets/downstream_ntu120_xsub.py',
    '../_base_/schedules/frozen_protocols.py',
]

model = dict(backbone=dict(layout='ntu25'), cls_head=dict(num_classes=120))
# The cross-validation keeps a subject's clips together.
linear = dict(group_pattern=r'P(\d+)R')
