# The same recognizer on frames of 160x160.
_base_ = 'mmact_ssl::downstream/tsm-lite0.py'

backbone_name = 'tsm-lite0-160'
resize = dict(_base_.resize, scale=(160, 160))
center_crop = [
    dict(type='mmaction.Resize', scale=(-1, 160)),
    dict(type='mmaction.CenterCrop', crop_size=160),
]
train_pipeline = [*_base_.opened, _base_.crop, resize, _base_.flip, *_base_.pack]
test_pipeline = [*_base_.opened_test, *center_crop, *_base_.pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
