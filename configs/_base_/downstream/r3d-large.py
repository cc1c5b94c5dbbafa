# Shared downstream settings of the large students of clips: 16 frames at 112x112.
_base_ = 'r3d.py'

sample = dict(_base_.sample, clip_len=16)
sample_test = dict(_base_.sample_test, clip_len=16)
augment = [
    dict(type='mmaction.RandomResizedCrop', area_range=(0.2, 1.0)),
    dict(type='mmaction.Resize', scale=(112, 112), keep_ratio=False),
    _base_.flip,
]
center_crop = [
    dict(type='mmaction.Resize', scale=(-1, 128)),
    dict(type='mmaction.CenterCrop', crop_size=112),
]
train_pipeline = [_base_.open_video, sample, _base_.decode, *augment, *_base_.pack]
test_pipeline = [_base_.open_video, sample_test, _base_.decode, *center_crop, *_base_.pack]
train_dataloader = dict(
    num_workers=8,
    # New workers would get the same seeds in each epoch, and repeat the crops.
    persistent_workers=True,
    dataset=dict(pipeline=train_pipeline),
)
test_dataloader = dict(num_workers=8, dataset=dict(pipeline=test_pipeline))
