# The same recognizer on frames of 224x224.
_base_ = 'tsm-lite0.py'

backbone_name = 'tsm-lite0-224'
resize = dict(_base_.resize, scale=(224, 224))
center_crop = [
    dict(type='mmaction.Resize', scale=(-1, 224)),
    dict(type='mmaction.CenterCrop', crop_size=224),
]
train_pipeline = [*_base_.opened, _base_.crop, resize, _base_.flip, *_base_.pack]
test_pipeline = [*_base_.opened_test, *center_crop, *_base_.pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
