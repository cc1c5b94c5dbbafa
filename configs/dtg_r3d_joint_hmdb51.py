# DTG-Net's second use on HMDB51, split 1: R3D-18 is trained on the labels and by guidance
# together, end to end.
_base_ = ['_base_/sets/hmdb51.py', '_base_/students/r3d18.py', '_base_/methods/dtg.py']

cls_head = dict(
    type='mmaction.I3DHead',
    in_channels=512,
    num_classes=_base_.num_classes,
    dropout_ratio=0.3,
)
model = dict(
    backbone=_base_.backbone,
    data_preprocessor=dict(targets=[*_base_.model.data_preprocessor.targets, 'sample.label']),
    heads=dict(recognition=dict(type='RecognitionHead', cls_head=cls_head), contrast=None),
)
pipeline = [*_base_.train_steps, dict(_base_.pack, label=True)]
train_dataloader = dict(dataset=dict(_base_.train_set, pipeline=pipeline))
