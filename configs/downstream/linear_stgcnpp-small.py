_base_ = ['../_base_/sets/folder-skeleton.py', '../_base_/downstream/stgcnpp-small.py']

model = dict(
    backbone=dict(layout=_base_.bodies.layout), cls_head=dict(num_classes=_base_.num_classes)
)
train_dataloader = dict(dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
linear = dict(group_file=_base_.own_folder.groups)
