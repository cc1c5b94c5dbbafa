# DTG-Net on UTD-MHAD (real depth video), guided by the poses of its sensor: --set utdmhad. This is
# the only teacher, because image classifiers are not trained on depth.
_base_ = 'mmact_ssl::dtg_r3d18-small.py'

model = dict(
    data_preprocessor=dict(targets=['clip.valid', 'clip.pose', 'clip_b.valid', 'clip_b.pose']),
    heads=dict(guidance=dict(teachers=dict(imagenet=None), weights=dict(weights=None))),
)
# Actions are longer than in JHMDB. Depth has no colors.
clip = dict(num_frames=8, stride=4)
sample_views = dict(_base_.sample_views, clip=clip, clip_b=clip)
_, load_poses = _base_.load_targets
augment = [_base_.crop, _base_.resize, _base_.flip]
train_pipeline = [
    sample_views,
    load_poses,
    _base_.decode,
    dict(type='TransformViews', views=('clip',), transforms=augment),
    dict(type='TransformViews', views=('clip_b',), transforms=augment),
    _base_.pack,
]
test_pipeline = [dict(sample_views, test_mode=True), load_poses, *_base_.make_test_views]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
train_cfg = dict(max_epochs=30)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=30)]
