_base_ = ['../_base_/sets/jhmdb.py', '../_base_/downstream/tsm-lite0-224.py']

model = dict(cls_head=dict(num_classes=_base_.num_classes))
train_dataloader = dict(dataset=_base_.train_videos)
test_dataloader = dict(dataset=_base_.test_videos)
linear = dict(group_pattern=_base_.group_pattern, one_standard_error=True)
