# EfficientNet-Lite0 with the temporal shift in mmaction2's recognizer: a frame from each of 8 equal
# parts of a video, 112x112.
_base_ = ['../students/tsm-lite0.py', 'video.py']

model = dict(
    type='mmaction.Recognizer2D',
    backbone=_base_.backbone,
    cls_head=dict(type='mmaction.TSNHead', in_channels=1280, dropout_ratio=0.3),
    data_preprocessor=dict(format_shape='NCHW', **_base_.normalization),
)
# Frozen features are the mean over a video's frames and, beside it, the deviation.
feature_deviation = True
sample = dict(type='mmaction.SampleFrames', clip_len=1, frame_interval=1, num_clips=8)
sample_test = dict(sample, test_mode=True)
augment = [
    dict(type='mmaction.RandomResizedCrop', area_range=(0.4, 1.0)),
    dict(type='mmaction.Resize', scale=(112, 112), keep_ratio=False),
    dict(type='mmaction.Flip', flip_ratio=0.5),
]
center_crop = [
    dict(type='mmaction.Resize', scale=(-1, 112)),
    dict(type='mmaction.CenterCrop', crop_size=112),
]
pack = [
    dict(type='mmaction.FormatShape', input_format='NCHW'),
    dict(type='mmaction.PackActionInputs'),
]
train_pipeline = [_base_.open_video, sample, _base_.decode, *augment, *pack]
test_pipeline = [_base_.open_video, sample_test, _base_.decode, *center_crop, *pack]
train_dataloader = dict(num_workers=0, dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(num_workers=0, dataset=dict(pipeline=test_pipeline))
