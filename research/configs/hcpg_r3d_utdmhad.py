# HCPG on UTD-MHAD (real depth video), under part maps drawn from the poses of its sensor: --set
# utdmhad.
_base_ = 'mmact_ssl::hcpg_r3d18-small.py'

# Actions are longer than in JHMDB. Depth has no colors.
clip = dict(num_frames=8, stride=(2, 4, 6))
sample_views = dict(_base_.sample_views, clip=clip, clip_b=clip)
augment = [_base_.crop, _base_.resize, _base_.flip]
train_pipeline = [
    sample_views,
    _base_.load_parts,
    _base_.decode,
    dict(type='TransformViews', views=('clip',), transforms=augment, map_size=(16, 16)),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
    _base_.pack,
]
test_pipeline = [sample_views, _base_.load_parts, *_base_.make_test_views]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
train_cfg = dict(max_epochs=60)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=60)]
