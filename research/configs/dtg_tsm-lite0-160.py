# DTG-Net on EfficientNet-Lite0 with the temporal shift, on frames of 160x160 in place of 112x112:
# twice the time. On --set jhmdb or another set.
_base_ = 'mmact_ssl::dtg_tsm-lite0.py'

encoder = dict(options=dict(side=160))
augment = [_base_.crop, _base_.resize, _base_.flip, _base_.jitter]
train_pipeline = [
    _base_.sample_views,
    *_base_.load_targets,
    dict(type='DecodeViews', short_side=184),
    dict(type='TransformViews', views=('clip',), transforms=augment),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
    _base_.pack,
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
