# DTG-Net on a 2D student that starts from ImageNet, on frames of 224x224 in place of 112x112.
_base_ = 'dtg-tsm.py'

views = _base_.views
clip = dict(num_frames=8, segments=True)
sample_views = dict(type='SampleViews', clip=clip, clip_b=clip)
augment = [_base_.crop, dict(_base_.resize, scale=(224, 224)), _base_.flip, _base_.jitter]
make_views = [
    dict(type='DecodeViews', short_side=256),
    dict(type='TransformViews', views=('clip',), transforms=augment),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
]
center_crop = dict(type='mmaction.CenterCrop', crop_size=224)
make_test_views = [
    dict(type='DecodeViews', short_side=224),
    dict(type='TransformViews', views=views, transforms=[center_crop]),
]
train_steps = [sample_views, *_base_.load_targets, *make_views]
test_steps = [dict(sample_views, test_mode=True), *_base_.load_targets, *make_test_views]
train_dataloader = dict(dataset=dict(pipeline=[*train_steps, _base_.pack]))
test_dataloader = dict(dataset=dict(pipeline=[*test_steps, _base_.pack]))
