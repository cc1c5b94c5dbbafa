# What the 2D students at 224x224 share downstream: a frame from each of 8 equal parts of a video.
_base_ = 'video.py'

model = dict(type='mmaction.Recognizer2D', data_preprocessor=dict(format_shape='NCHW'))
sample = dict(type='mmaction.SampleFrames', clip_len=1, frame_interval=1, num_clips=8)
augment = [
    dict(type='mmaction.RandomResizedCrop', area_range=(0.2, 1.0)),
    dict(type='mmaction.Resize', scale=(224, 224), keep_ratio=False),
    dict(type='mmaction.Flip', flip_ratio=0.5),
]
sample_test = dict(sample, test_mode=True)
center_crop = [
    dict(type='mmaction.Resize', scale=(-1, 256)),
    dict(type='mmaction.CenterCrop', crop_size=224),
]
pack = [
    dict(type='mmaction.FormatShape', input_format='NCHW'),
    dict(type='mmaction.PackActionInputs'),
]
train_pipeline = [_base_.open_video, sample, _base_.decode, *augment, *pack]
test_pipeline = [_base_.open_video, sample_test, _base_.decode, *center_crop, *pack]
train_dataloader = dict(
    num_workers=8, persistent_workers=True, dataset=dict(pipeline=train_pipeline)
)
test_dataloader = dict(num_workers=8, dataset=dict(pipeline=test_pipeline))
