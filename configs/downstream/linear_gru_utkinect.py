# Linear probe, kNN and retrieval: all read the same frozen features.
_base_ = [
    '../_base_/models/downstream_gru.py',
    '../_base_/datasets/downstream_utkinect.py',
    '../_base_/schedules/frozen_protocols.py',
]

model = dict(cls_head=dict(num_classes=10))
# The cross-validation keeps a subject's clips together.
linear = dict(group_pattern=r's(\d+)_')
