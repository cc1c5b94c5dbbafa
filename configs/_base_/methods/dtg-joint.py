# DTG-Net's second use: labels and guidance train the student together, end to end.
_base_ = 'dtg.py'

cls_head = dict(type='mmaction.I3DHead', in_channels=512, dropout_ratio=0.3)
model = dict(
    data_preprocessor=dict(targets=[*_base_.model.data_preprocessor.targets, 'sample.label']),
    heads=dict(recognition=dict(type='RecognitionHead', cls_head=cls_head), contrast=None),
)
pipeline = [*_base_.train_steps, dict(_base_.pack, label=True)]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
