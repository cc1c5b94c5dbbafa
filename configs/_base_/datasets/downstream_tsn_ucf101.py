# UCF101 as TSN samples it: a frame from each of 8 equal parts of a video, at 224x224.
_base_ = 'downstream_ucf101.py'

train_pipeline = [
    dict(type='mmaction.DecordInit'),
    dict(type='mmaction.SampleFrames', clip_len=1, frame_interval=1, num_clips=8),
    dict(type='mmaction.DecordDecode'),
    dict(type='mmaction.RandomResizedCrop', area_range=(0.2, 1.0)),
    dict(type='mmaction.Resize', scale=(224, 224), keep_ratio=False),
    dict(type='mmaction.Flip', flip_ratio=0.5),
    dict(type='mmaction.FormatShape', input_format='NCHW'),
    dict(type='mmaction.PackActionInputs'),
]
test_pipeline = [
    dict(type='mmaction.DecordInit'),
    dict(type='mmaction.SampleFrames', clip_len=1, frame_interval=1, num_clips=8, test_mode=True),
    dict(type='mmaction.DecordDecode'),
    dict(type='mmaction.Resize', scale=(-1, 256)),
    dict(type='mmaction.CenterCrop', crop_size=224),
    dict(type='mmaction.FormatShape', input_format='NCHW'),
    dict(type='mmaction.PackActionInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
