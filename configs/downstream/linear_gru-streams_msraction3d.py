# Linear probe, kNN and retrieval: all read the same frozen features.
_base_ = [
    '../_base_/models/downstream_gru-streams.py',
    '../_base_/datasets/downstream_msraction3d.py',
    '../_base_/datasets/downstream_skeleton_streams.py',
    '../_base_/schedules/frozen_protocols.py',
]

model = dict(cls_head=dict(num_classes=20))
train_dataloader = dict(dataset=dict(pipeline=_base_.streams_train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.streams_test_pipeline))
# The cross-validation keeps a subject's clips together.
linear = dict(group_pattern=r'_s(\d+)_')
