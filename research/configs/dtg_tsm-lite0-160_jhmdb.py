# As dtg_tsm-lite0_jhmdb.py, on frames of 160x160 in place of 112x112: twice the time.
_base_ = 'mmact_ssl::dtg_tsm-lite0_jhmdb.py'

backbone_name = 'tsm-lite0-160'
clip = dict(num_frames=8, segments=True)
sample_views = dict(type='SampleViews', clip=clip, clip_b=clip)
augment = [_base_.crop, dict(_base_.resize, scale=(160, 160)), _base_.flip, _base_.jitter]
make_views = [
    dict(type='DecodeViews', short_side=184),
    dict(type='TransformViews', views=('clip',), transforms=augment),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
]
center_crop = dict(type='mmaction.CenterCrop', crop_size=160)
make_test_views = [
    dict(type='DecodeViews', short_side=160),
    dict(type='TransformViews', views=_base_.views, transforms=[center_crop]),
]
train_steps = [sample_views, *_base_.load_targets, *make_views, _base_.pack]
sample_test_views = dict(sample_views, test_mode=True)
test_steps = [sample_test_views, *_base_.load_targets, *make_test_views, _base_.pack]
train_dataloader = dict(dataset=dict(pipeline=train_steps))
test_dataloader = dict(dataset=dict(pipeline=test_steps))
