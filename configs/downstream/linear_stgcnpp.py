_base_ = ['../_base_/sets/folder-skeleton.py', '../_base_/downstream/stgcnpp.py']

network = dict(in_channels=_base_.bodies.in_channels)
model = dict(
    backbone=dict(layout=_base_.bodies.layout, network=network),
    cls_head=dict(num_classes=_base_.num_classes),
)
pipeline = [_base_.normalize, _base_.resample, _base_.format_bodies, _base_.pack]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=pipeline))
test_dataloader = dict(dataset=dict(_base_.test_set, pipeline=pipeline))
linear = dict(group_file=_base_.own_folder.groups)
