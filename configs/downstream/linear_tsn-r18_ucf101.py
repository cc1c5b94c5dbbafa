# Linear probe, kNN and retrieval: all read the same frozen features.
_base_ = [
    '../_base_/models/downstream_tsn-r18.py',
    '../_base_/datasets/downstream_tsn_ucf101.py',
    '../_base_/schedules/frozen_protocols.py',
]

model = dict(cls_head=dict(num_classes=101))
# The cross-validation keeps the clips of one source video together.
linear = dict(group_pattern=r'_g(\d+)_')
