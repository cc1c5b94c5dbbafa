# Shared downstream settings of the 2D students: one frame from each of 8 equal parts of a video.
_base_ = 'video.py'

model = dict(type='mmaction.Recognizer2D', data_preprocessor=dict(format_shape='NCHW'))
sample = dict(type='mmaction.SampleFrames', clip_len=1, frame_interval=1, num_clips=8)
opened = [_base_.open_video, sample, _base_.decode]
opened_test = [_base_.open_video, dict(sample, test_mode=True), _base_.decode]
pack = [
    dict(type='mmaction.FormatShape', input_format='NCHW'),
    dict(type='mmaction.PackActionInputs'),
]
# At 224x224.
augment = [
    dict(type='mmaction.RandomResizedCrop', area_range=(0.2, 1.0)),
    dict(type='mmaction.Resize', scale=(224, 224), keep_ratio=False),
    _base_.flip,
]
center_crop = [
    dict(type='mmaction.Resize', scale=(-1, 256)),
    dict(type='mmaction.CenterCrop', crop_size=224),
]
train_dataloader = dict(dataset=dict(pipeline=[*opened, *augment, *pack]))
test_dataloader = dict(dataset=dict(pipeline=[*opened_test, *center_crop, *pack]))
