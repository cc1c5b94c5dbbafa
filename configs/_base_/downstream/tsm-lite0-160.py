# The same recognizer on frames of 160x160.
_base_ = 'tsm-lite0.py'

backbone_name = 'tsm-lite0-160'
augment = [
    dict(type='mmaction.RandomResizedCrop', area_range=(0.4, 1.0)),
    dict(type='mmaction.Resize', scale=(160, 160), keep_ratio=False),
    dict(type='mmaction.Flip', flip_ratio=0.5),
]
center_crop = [
    dict(type='mmaction.Resize', scale=(-1, 160)),
    dict(type='mmaction.CenterCrop', crop_size=160),
]
opened = [_base_.open_video, _base_.sample, _base_.decode]
opened_test = [_base_.open_video, _base_.sample_test, _base_.decode]
train_dataloader = dict(dataset=dict(pipeline=[*opened, *augment, *_base_.pack]))
test_dataloader = dict(dataset=dict(pipeline=[*opened_test, *center_crop, *_base_.pack]))
