# Shared downstream settings of all students of video: mmaction2's recognizer, fine-tuned or frozen,
# on the set of --set or the prepared folder of --data. The tools set the environment variable to
# the set's path.
_base_ = ['{{$MMACT_SSL_SET:../sets/folder.py}}', '../schedules/frozen_protocols.py']

# mmaction2's data set takes no prepare_command.
train_videos, test_videos = (
    dict(ann_file=one.ann_file, data_prefix=dict(video=one.data_prefix.video))
    for one in (_base_.train_set, _base_.test_set)
)
custom_imports = dict(imports=['mmact_ssl'])  # for the reader of videos
model = dict(
    cls_head=dict(
        num_classes=_base_.num_classes,
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
flip = dict(type='mmaction.Flip', flip_ratio=_base_.get('flip_ratio', 0.5))
train_dataloader = dict(
    batch_size=16,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='mmaction.VideoDataset', **train_videos),
)
test_dataloader = dict(
    batch_size=16,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='mmaction.VideoDataset', test_mode=True, **test_videos),
)
keys = ('group_pattern', 'group_file', 'one_standard_error')
linear = {key: _base_[key] for key in keys if key in _base_}
fewshot = {key: _base_[key] for key in keys[:2] if key in _base_}
test_evaluator = dict(type='mmaction.AccMetric')
test_cfg = dict(type='TestLoop')
