# EfficientNet-Lite0 with the temporal shift in mmaction2's recognizer: one frame of 112x112 from
# each of 8 equal parts of a video.
_base_ = [
    '../_base_/students/tsm-lite0.py',
    '../_base_/downstream/video.py',
    '../_base_/schedules/finetune_small.py',
]

model = dict(
    type='mmaction.Recognizer2D',
    backbone=_base_.backbone,
    cls_head=dict(type='mmaction.TSNHead', in_channels=1280, dropout_ratio=0.3),
    data_preprocessor=dict(_base_.normalization, format_shape='NCHW'),
)
# Frozen features are the mean and the standard deviation over a video's frames.
feature_deviation = True
sample = dict(type='mmaction.SampleFrames', clip_len=1, frame_interval=1, num_clips=8)
opened = [_base_.open_video, sample, _base_.decode]
opened_test = [_base_.open_video, dict(sample, test_mode=True), _base_.decode]
crop = dict(type='mmaction.RandomResizedCrop', area_range=(0.4, 1.0))
resize = dict(type='mmaction.Resize', scale=(112, 112), keep_ratio=False)
center_crop = [
    dict(type='mmaction.Resize', scale=(-1, 112)),
    dict(type='mmaction.CenterCrop', crop_size=112),
]
pack = [
    dict(type='mmaction.FormatShape', input_format='NCHW'),
    dict(type='mmaction.PackActionInputs'),
]
train_pipeline = [*opened, crop, resize, _base_.flip, *pack]
test_pipeline = [*opened_test, *center_crop, *pack]
train_dataloader = dict(num_workers=0, dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(num_workers=0, dataset=dict(pipeline=test_pipeline))
