# CSVR on the demo world in two minutes, for `make demo`: smaller frames and batches than in
# csvr_r3d_demo.py, half of its epochs, and colors as they are.
_base_ = 'csvr_r3d_demo.py'

augment = [
    dict(_base_.crop, area_range=(0.6, 1.0)),
    dict(_base_.resize, scale=(48, 48)),
    _base_.flip,
]
make_views = [
    _base_.decode,
    dict(type='TransformViews', views=('clip', 'future'), transforms=augment),
    dict(type='TransformViews', views=('keyframes',), transforms=augment),
    _base_.pack,
]
train_pipeline = [_base_.sample_views, _base_.load_poses, *make_views]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_epochs=8)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=8)]
