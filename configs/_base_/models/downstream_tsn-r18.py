_base_ = '../students/tsn_r18.py'

backbone_name = 'tsn-r18'
model = dict(
    type='mmaction.Recognizer2D',
    cls_head=dict(
        type='mmaction.TSNHead',
        in_channels=512,
        dropout_ratio=0.4,
        average_clips='prob',
        loss_cls=dict(type='mmaction.CrossEntropyLoss'),
    ),
    data_preprocessor=dict(
        type='mmaction.ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW',
    ),
)
