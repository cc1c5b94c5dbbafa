# EfficientNet-Lite0 with the temporal shift in mmaction2's recognizer, frames of 112x112.
_base_ = [
    '../_base_/students/tsm-lite0.py',
    '../_base_/downstream/frames.py',
    '../_base_/schedules/finetune_small.py',
]

model = dict(
    backbone=_base_.backbone,
    cls_head=dict(type='mmaction.TSNHead', in_channels=1280, dropout_ratio=0.3),
    data_preprocessor=_base_.normalization,
)
# Frozen features are the mean and the standard deviation over a video's frames.
feature_deviation = True
crop = dict(type='mmaction.RandomResizedCrop', area_range=(0.4, 1.0))
resize = dict(type='mmaction.Resize', scale=(112, 112), keep_ratio=False)
center_crop = [
    dict(type='mmaction.Resize', scale=(-1, 112)),
    dict(type='mmaction.CenterCrop', crop_size=112),
]
train_pipeline = [*_base_.opened, crop, resize, _base_.flip, *_base_.pack]
test_pipeline = [*_base_.opened_test, *center_crop, *_base_.pack]
train_dataloader = dict(num_workers=0, dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(num_workers=0, dataset=dict(pipeline=test_pipeline))
