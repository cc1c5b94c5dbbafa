# Linear probe, kNN and retrieval: all read the same frozen features.
_base_ = [
    '../_base_/models/downstream_stgcn.py',
    '../_base_/datasets/downstream_demo_skeleton.py',
    '../_base_/schedules/frozen_protocols.py',
]

model = dict(backbone=dict(layout='ntu25'), cls_head=dict(num_classes=12))
# The cross-validation keeps a subject's clips together.
linear = dict(group_pattern=r'_s(\d+)_')
