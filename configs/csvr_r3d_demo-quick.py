# CSVR on the demo world in four minutes, for `make demo`: smaller frames, batches and generators
# than in csvr_r3d_demo.py, half of its epochs, and colors as they are.
_base_ = 'csvr_r3d_demo.py'

generation = dict(channels=32)
model = dict(
    channels_last=True,  # a tenth of the step's time on a CPU
    heads=dict(current=generation, future=generation),
)

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
auto_scale_lr = dict(base_batch_size=8)
train_cfg = dict(max_epochs=8)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=8)]
optim_wrapper = dict(optimizer=dict(fused=True), adversary=dict(optimizer=dict(fused=True)))
