_base_ = ['../_base_/sets/folder.py', '../_base_/downstream/r3d18-small.py']

model = dict(cls_head=dict(num_classes=_base_.num_classes))
train_dataloader = dict(dataset=_base_.train_videos)
test_dataloader = dict(dataset=_base_.test_videos)
linear = dict(group_file=_base_.own_folder.groups, one_standard_error=True)
