# What all students of video share downstream: mmaction2's recognizer, fine-tuned or frozen.
_base_ = '../schedules/frozen_protocols.py'

custom_imports = dict(imports=['mmact_ssl'])  # for the reader of videos
model = dict(
    cls_head=dict(
        dropout_ratio=0.3,
        average_clips='prob',
        loss_cls=dict(type='mmaction.CrossEntropyLoss'),
    ),
    data_preprocessor=dict(
        type='mmaction.ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
    ),
)
open_video = dict(type='mmact_ssl.ReadVideo')
decode = dict(type='mmact_ssl.DecodeFrames')
train_dataloader = dict(
    batch_size=16,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='mmaction.VideoDataset'),
)
test_dataloader = dict(
    batch_size=16,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='mmaction.VideoDataset', test_mode=True),
)
test_evaluator = dict(type='mmaction.AccMetric')
test_cfg = dict(type='TestLoop')
