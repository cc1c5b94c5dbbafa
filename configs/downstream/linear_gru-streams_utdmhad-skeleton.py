_base_ = ['../_base_/sets/utdmhad-skeleton.py', '../_base_/downstream/gru-streams.py']

model = dict(backbone=dict(encoder=_base_.bodies), cls_head=dict(num_classes=_base_.num_classes))
# Swipes to the left and to the right are different actions here: no flip.
train_pipeline = [_base_.normalize, *_base_.augment, *_base_.format_streams]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=train_pipeline))
test_dataloader = dict(dataset=_base_.test_set)
linear = dict(group_pattern=_base_.group_pattern)
