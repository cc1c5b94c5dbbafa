_base_ = ['../_base_/sets/nwucla.py', '../_base_/downstream/gru-streams-copies.py']

model = dict(backbone=dict(encoder=_base_.bodies), cls_head=dict(num_classes=_base_.num_classes))
train_dataloader = dict(dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
linear = dict(group_pattern=_base_.group_pattern)
