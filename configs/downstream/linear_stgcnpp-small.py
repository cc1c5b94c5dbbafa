_base_ = ['../_base_/sets/folder-skeleton.py', '../_base_/downstream/stgcnpp-small.py']

network = dict(in_channels=2 * _base_.bodies.in_channels)  # joints and bones
model = dict(
    backbone=dict(layout=_base_.bodies.layout, network=network),
    cls_head=dict(num_classes=_base_.num_classes),
)
# As many persons as the folder has; the base's pipelines are for one.
persons = [_base_.make_streams, _base_.format_bodies, _base_.pack]
train_steps = [_base_.normalize, *_base_.augment, _base_.flip, *persons]
test_steps = [_base_.normalize, _base_.resample, *persons]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=train_steps))
test_dataloader = dict(dataset=dict(_base_.test_set, pipeline=test_steps))
linear = dict(group_file=_base_.own_folder.groups)
