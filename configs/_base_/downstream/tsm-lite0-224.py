# The same recognizer on frames of 224x224.
_base_ = 'tsm-lite0.py'

backbone_name = 'tsm-lite0-224'
augment = [
    dict(type='mmaction.RandomResizedCrop', area_range=(0.4, 1.0)),
    dict(type='mmaction.Resize', scale=(224, 224), keep_ratio=False),
    dict(type='mmaction.Flip', flip_ratio=0.5),
]
center_crop = [
    dict(type='mmaction.Resize', scale=(-1, 224)),
    dict(type='mmaction.CenterCrop', crop_size=224),
]
opened = [_base_.open_video, _base_.sample, _base_.decode]
opened_test = [_base_.open_video, _base_.sample_test, _base_.decode]
train_dataloader = dict(dataset=dict(pipeline=[*opened, *augment, *_base_.pack]))
test_dataloader = dict(dataset=dict(pipeline=[*opened_test, *center_crop, *_base_.pack]))
